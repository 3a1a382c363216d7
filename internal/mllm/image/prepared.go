package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
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
	return filepath.Join(l.opt.CacheDir, "prepared", sum[:2], name)
}

func readPrepared(path string) (mllm.Image, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return mllm.Image{}, false
	}
	head, body, ok := bytes.Cut(data, []byte("\n"))
	var h preparedHead
	if !ok || json.Unmarshal(head, &h) != nil || h.MIME == "" || hash(body) != h.SHA256 {
		return mllm.Image{}, false
	}
	return mllm.Image{Data: body, MIME: h.MIME, SHA256: h.SHA256, Width: h.Width, Height: h.Height}, true
}

func keepPrepared(path string, img mllm.Image) error {
	head, err := json.Marshal(preparedHead{img.MIME, img.SHA256, img.Width, img.Height})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCache, err)
	}
	return writeCache(path, append(append(head, '\n'), img.Data...))
}
