// Package scaling measures how old what the exporter shows can be, over sizes
// of programs and quotas, with a clock that jumps. Its test writes the table of
// docs/scaling.md:
//
//	go test ./tools/bench/scaling -count=1 -write
package scaling
