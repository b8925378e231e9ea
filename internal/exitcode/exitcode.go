// Package exitcode holds the exit codes of the program. Go's own crash exits
// with 2, so a mistake that no restart mends has another code: that of the BSDs'
// sysexits.
package exitcode

// The exit codes.
const (
	OK     = 0
	Failed = 1
	Usage  = 64 // the command line is wrong
	Config = 78 // the configuration is wrong
)
