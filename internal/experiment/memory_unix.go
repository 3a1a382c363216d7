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
	if runtime.GOOS == "darwin" { // counts in bytes, the others in KiB
		return int64(use.Maxrss)
	}
	return int64(use.Maxrss) << 10
}
