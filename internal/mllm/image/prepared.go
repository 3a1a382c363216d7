package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Prepared pictures are cached beside the downloads: a resumed run needs each picture's hash
// to find its answer, and decoding tens of thousands of pictures again takes an hour. Their
// names are hashes of the source's bytes and the options, not of the JPEG encoder: a cached
// picture stays the same when a new release of Go would encode it differently.

// preparedHead is the first line of a prepared picture's file; the bytes follow.
type preparedHead struct {
	MIME   string `json:"mime"`
	SHA256 string `json:"sha256"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

func (l *Loader) preparedPath(source []byte) string {
	sum := hash(source)
	name := fmt.Sprintf("%s-%d-%d-%d", sum, l.opt.LongSide, l.opt.Quality, l.opt.MaxPixels)
	return filepath.Join("prepared", sum[:2], name)
}

// maxPrepared bounds a prepared picture, in bytes: its longer side bounds its pixels, and a
// JPEG of any quality has no more than a few bytes for each.
func (l *Loader) maxPrepared() int64 {
	return maxEntryHeader + 8*int64(l.opt.LongSide)*int64(l.opt.LongSide)
}

func (l *Loader) readPrepared(path string) (mllm.Image, bool) {
	data, ok := l.readCache(path, l.maxPrepared())
	head, body, cut := bytes.Cut(data, []byte("\n"))
	var h preparedHead
	if !ok || !cut || json.Unmarshal(head, &h) != nil || h.MIME == "" || hash(body) != h.SHA256 {
		return mllm.Image{}, false
	}
	return mllm.Image{Data: body, MIME: h.MIME, SHA256: h.SHA256, Width: h.Width, Height: h.Height}, true
}

func (l *Loader) keepPrepared(path string, img mllm.Image) error {
	head, err := json.Marshal(preparedHead{img.MIME, img.SHA256, img.Width, img.Height})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCache, err)
	}
	return l.writeCache(path, append(append(head, '\n'), img.Data...))
}
