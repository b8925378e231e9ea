package cells

// Report is docs/oncall.md.
func Report(results []Result) string { return "" }
