package cells

import (
	"reflect"
	"testing"
	"time"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/oncall/model"
)

func TestSharingAPastChangesNoOutcome(t *testing.T) {
	content, err := alerts.Render(alerts.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	run := func(cells ...Cell) []Result {
		results, err := RunAll(t.Context(), content, cells, func(Result) {})
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	const tuesday, friday = tuesday10 - 2*week, friday18 - 2*week
	short, long := outage(20, model.Automatic, tuesday, day), outage(20, model.Automatic, friday, 2*day)
	long.ExporterAway = []Stretch{{friday + 3*time.Hour, friday + 4*time.Hour}}
	short.Seeds, long.Seeds = 1, 1
	if n := len(familiesOf([]Cell{short, long})); n != 1 {
		t.Errorf("%d families", n)
	}
	got, want := run(short, long), append(run(short), run(long)...)
	for i := range want {
		if !reflect.DeepEqual(got[i].Outcomes, want[i].Outcomes) || got[i].Outcomes[0].ToPage == Never {
			t.Errorf("%+v, alone %+v", got[i].Outcomes, want[i].Outcomes)
		}
	}
}
