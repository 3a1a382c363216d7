package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Stamp returns, without decoding anything, a string that stands for the bytes that Load
// would return: it changes with the file behind ref (by size and time of change) or the
// download in the cache, with the options and with the release of Go whose JPEG encoder
// is used. ok is false where only Load can tell.
func (l *Loader) Stamp(ref string) (stamp string, ok bool) {
	ref = strings.TrimSpace(ref)
	source := ""
	switch strings.ToLower(scheme.FindString(ref)) {
	case "":
		f, err := l.open(ref)
		if err != nil {
			return "", false
		}
		defer f.Close()
		info, err := f.Stat()
		// A file changed within the clock's grain may change again and look the same.
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < 2*time.Second {
			return "", false
		}
		source = fmt.Sprintf("file %q %d %d", ref, info.Size(), info.ModTime().UnixNano())
	case "data:":
		sum := sha256.Sum256([]byte(ref))
		source = "data " + hex.EncodeToString(sum[:])
	default:
		return "", false
	}
	return fmt.Sprintf("%s %q %d %d %d %d %s", source, l.opt.Dir, l.opt.LongSide, l.opt.Quality, l.opt.MaxBytes, l.opt.MaxPixels, runtime.Version()), true
}
