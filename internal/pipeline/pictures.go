package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	mllmimage "github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// PictureOptions say where pictures come from and how they are prepared. The zero value
// takes what the catalogue names, from public addresses only, 896 pixels long.
type PictureOptions struct {
	Dir          string `json:"dir,omitempty"`           // folder with <item id>.jpg; wins over what the catalogue names
	AllowPrivate bool   `json:"allow_private,omitempty"` // also download from loopback and private addresses
	LongSide     int    `json:"long_side,omitempty"`     // pixels

	Timeout time.Duration `json:"timeout,omitempty"` // of one download; 0 = 30 s
}

// cacheFolder holds downloads and prepared pictures.
const cacheFolder = "cache"

// pictures reads pictures by an item's reference, relative ones in the workspace's
// image folder.
type pictures struct {
	ws     *workspace.Workspace
	loader *mllmimage.Loader
}

// openPictures returns the source of pictures, and the items with the references that
// opt leads to.
func (p *Pipeline) openPictures(opt PictureOptions, items []dataset.Item, keep bool) (*pictures, []dataset.Item, error) {
	limits := mllmimage.Options{LongSide: opt.LongSide, AllowPrivate: opt.AllowPrivate, Timeout: opt.Timeout}
	if keep {
		limits.CacheDir = p.WS.Path(workspace.ImagesFolder, cacheFolder)
	}
	loader, err := mllmimage.NewLoader(limits)
	if err != nil {
		return nil, nil, err
	}
	if opt.Dir != "" {
		folder, err := openFolder(opt.Dir)
		if err != nil {
			loader.Close() //nolint:errcheck // nothing was read
			return nil, nil, err
		}
		items = append([]dataset.Item(nil), items...)
		for i := range items {
			if path, ok := folder.Find(items[i].ID); ok {
				items[i].Image = path
			}
		}
	}
	return &pictures{p.WS, loader}, items, nil
}

// openFolder reads a folder of pictures under its absolute path, so that what it finds is
// not looked for in the workspace.
func openFolder(dir string) (*mllmimage.Folder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of pictures %s: %w", dir, err)
	}
	return mllmimage.OpenFolder(abs)
}

// Load implements texts.ImageSource.
func (s *pictures) Load(ctx context.Context, ref string) (mllm.Image, error) {
	return s.loader.Load(ctx, s.ws.ImagePath(ref))
}

// Stamp implements texts.Stamper.
func (s *pictures) Stamp(ref string) (string, bool) { return s.loader.Stamp(s.ws.ImagePath(ref)) }

func (s *pictures) Close() error { return s.loader.Close() }

// record adds what was chosen to the options that decide whether a stage is fresh.
func (o PictureOptions) record(options map[string]string) {
	if o.Dir != "" {
		options["image_dir"] = o.Dir
	}
	if o.LongSide != 0 {
		options["image_long_side"] = strconv.Itoa(o.LongSide)
	}
	if o.AllowPrivate { // pictures that were blocked may be read now
		options["allow_private_images"] = strconv.FormatBool(true)
	}
}

// recall reads what record wrote.
func (o *PictureOptions) recall(options map[string]string) (err error) {
	o.Dir = options["image_dir"]
	o.AllowPrivate = options["allow_private_images"] != ""
	if side := options["image_long_side"]; side != "" {
		o.LongSide, err = strconv.Atoi(side)
	}
	return err
}

// anyURL reports whether some picture has to be downloaded.
func anyURL(items []dataset.Item) bool {
	for _, it := range items {
		if strings.HasPrefix(it.Image, "http") && strings.Contains(it.Image, "://") {
			return true
		}
	}
	return false
}
