//go:build unix

package experiment

import (
	"runtime"
	"syscall"
)

// peakMemory is the most that this process has held, in bytes.
func peakMemory() int64 {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	peak := int64(use.Maxrss)     //nolint:unconvert // it is narrower elsewhere
	if runtime.GOOS != "darwin" { // which counts in bytes, the others in KiB
		peak <<= 10
	}
	return peak
}
