package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The colors of a judgement. They are the same everywhere, mean nothing else
// anywhere, and are told apart by the color-blind. Grafana writes white on
// them, and black on what is as bright as watch: each holds a contrast of 4.5.
const (
	good    = "#127946" // Nothing to do.
	watch   = "#F5B83D" // Look at it today.
	bad     = "#D92B0F" // Somebody should act now.
	unknown = "#66707A" // Not known, which is not good.
)

// watchLine is watch where it is a line, which watch is too bright for on white.
const watchLine = "#C7860A"

// The colors of what is measured, where no judgement is meant. Like all lines
// they hold a contrast of 3 in the light and in the dark theme.
const (
	neutral = "#398AF7"
	second  = "#AF35A4"
	third   = "#179DC7"
	fourth  = "#9434DE"
	fifth   = "#7E9660"
	faint   = "#81878C"
)

// paint is the color of the series whose names end in a suffix.
type paint struct{ suffix, color string }

// statusPaint holds the statuses' colors. The customers' way leads to green.
func statusPaint() []paint {
	return []paint{
		{"otp_requested", faint},
		{"otp_verified", third},
		{"kyc_initiated", neutral},
		{"kyc_completed", second},
		{"safe_deploying", fourth},
		{"card_created", fifth},
		{"active", good},
		{"unknown", unknown},
	}
}

// currencyPaint holds the colors of the currencies that are always there.
func currencyPaint() []paint {
	return []paint{{"USD", neutral}, {"EUR", second}, {"GBP", third}}
}

// painted are the overrides that give series their colors.
func painted(paints []paint) []cog.Builder[dashboard.DashboardFieldConfigSourceOverrides] {
	var overrides []cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]
	for _, p := range paints {
		overrides = append(overrides, override("byRegexp", "/"+p.suffix+"$/", set("color", fixed(p.color))))
	}
	return overrides
}

// override changes how the fields look that a matcher finds.
func override(matcher, what string, properties ...dashboard.DynamicConfigValue) cog.Builder[dashboard.DashboardFieldConfigSourceOverrides] {
	return dashboard.NewDashboardFieldConfigSourceOverridesBuilder().
		Matcher(dashboard.MatcherConfig{Id: matcher, Options: what}).
		Properties(properties)
}

func named(name string, properties ...dashboard.DynamicConfigValue) cog.Builder[dashboard.DashboardFieldConfigSourceOverrides] {
	return override("byName", name, properties...)
}

func set(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

func fixed(color string) map[string]any {
	return map[string]any{"mode": dashboard.FieldColorModeIdFixed, "fixedColor": color}
}

// dashed draws a limit that others are held against.
func dashed(name, color string) cog.Builder[dashboard.DashboardFieldConfigSourceOverrides] {
	return override("byRegexp", "/"+name+"$/",
		set("color", fixed(color)),
		set("custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{8, 6}}),
		set("custom.fillOpacity", 0))
}

func fixedColor(color string) cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor(color)
}

// shades tell series apart that no name is known of, without a judgement.
func shades(color string) cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdShades).FixedColor(color)
}

func byThreshold() cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)
}

// step is a limit from which on a color holds.
type step struct {
	from  float64
	color string
}

// steps are thresholds. Below the first, and where there is no value at all,
// the color is that of the unknown, so that missing data never look good.
func steps(list ...step) cog.Builder[dashboard.ThresholdsConfig] {
	thresholds := []dashboard.Threshold{{Color: unknown}}
	for _, s := range list {
		thresholds = append(thresholds, dashboard.Threshold{Value: new(s.from), Color: s.color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(thresholds)
}

// lines are thresholds that are drawn across a graph.
func lines(list ...step) cog.Builder[dashboard.ThresholdsConfig] {
	thresholds := []dashboard.Threshold{{Color: "transparent"}}
	for _, s := range list {
		thresholds = append(thresholds, dashboard.Threshold{Value: new(s.from), Color: s.color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(thresholds)
}

// word is what a value means, and the color that goes with it.
type word struct{ value, text, color string }

// linked are links of a field's values, opened beside the dashboard.
func linked(title, url string) dashboard.DynamicConfigValue {
	return set("links", []map[string]any{{"title": title, "url": url, "targetBlank": true}})
}

// words replace values by what they mean.
func words(list ...word) []dashboard.ValueMapping {
	options := make(map[string]dashboard.ValueMappingResult, len(list))
	for i, w := range list {
		result := dashboard.ValueMappingResult{Text: new(w.text), Index: new(int32(i))}
		if w.color != "" {
			result.Color = new(w.color)
		}
		options[w.value] = result
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}
