package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"sigs.k8s.io/yaml"
)

type object = map[string]any

// image is what the kustomization names.
var image = object{"repository": "registry.example.org/yativo-card-exporter", "tag": "latest"}

// template renders the chart with Helm's own engine, as helm template does, and
// returns the objects by kind.
func template(t *testing.T, values object) (map[string]object, error) {
	t.Helper()
	chart, err := loader.Load("../helm")
	if err != nil {
		t.Fatal(err)
	}
	input, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "yativo-card-exporter"}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, input)
	objects := map[string]object{}
	for name, content := range files {
		var o object
		if err := yaml.Unmarshal([]byte(content), &o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o != nil {
			objects[o["kind"].(string)] = o
		}
	}
	return objects, err
}

// The chart makes the objects of the manifests, but for the rules and dashboards
// that the commands write.
func TestChartMakesTheObjectsOfTheManifests(t *testing.T) {
	t.Parallel()
	for folder, values := range map[string]object{
		"../kubernetes": {"image": image},
		"../kubernetes-prometheus-stack": {
			"image":          image,
			"serviceMonitor": object{"labels": object{"release": "kube-prometheus-stack"}},
			"networkPolicy":  object{"enabled": true},
		},
	} {
		want := map[string]object{}
		for _, r := range kustomized(t, folder) {
			if slices.Contains([]string{"PrometheusRule", "ConfigMap"}, r.GetKind()) {
				continue
			}
			content, err := r.AsYAML()
			if err != nil {
				t.Fatal(err)
			}
			var o object
			if err := yaml.Unmarshal(content, &o); err != nil {
				t.Fatal(err)
			}
			want[r.GetKind()] = o
		}
		got, err := template(t, values)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s and the chart differ (-manifests +chart):\n%s", folder, diff)
		}
	}
}

// What helm lint --strict says against a chart, a warning included, is an error.
func TestChartPassesLint(t *testing.T) {
	t.Parallel()
	for _, m := range lint.All("../helm", object{"image": image, "networkPolicy": object{"enabled": true}}, "yativo", true).Messages {
		if m.Severity > 1 { // beyond information
			t.Error(m)
		}
	}
}

func TestChartSaysWhichValueIsMissing(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		`{"tag": "v1"}`:                    "image.repository is not set: say where you pushed the image",
		`{"repository": "registry/image"}`: "image.tag is not set: say which version you pushed",
	} {
		var given object
		if err := yaml.Unmarshal([]byte(values), &given); err != nil {
			t.Fatal(err)
		}
		if _, err := template(t, object{"image": given}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s Helm says %v, want %q", values, err, want)
		}
	}
}

// A release may have a name, a Secret and variables of its own.
func TestChartTakesItsValues(t *testing.T) {
	t.Parallel()
	got, err := template(t, object{
		"image": image, "secret": "other", "serviceMonitor": object{"enabled": false},
		"env": []any{object{"name": "YATIVO_RATE_LIMIT", "value": "120"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	deployment, err := yaml.Marshal(got["Deployment"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"secretName: other", "name: YATIVO_RATE_LIMIT"} {
		if !strings.Contains(string(deployment), want) {
			t.Errorf("the Deployment has no %q", want)
		}
	}
	if got["ServiceMonitor"] != nil {
		t.Error("there is a ServiceMonitor that nobody wants")
	}
}
