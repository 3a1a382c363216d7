package describing

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Pictures say where pictures come from and how they are prepared. The zero value takes
// what the catalogue names, from public addresses only, 896 pixels long.
type Pictures struct {
	_            struct{}      `group:"Pictures"`
	Dir          string        `option:"image-dir" json:"dir,omitempty" doc:"folder with <item id>.jpg, .png, .webp or .gif; wins over what the catalogue names"`
	LongSide     int           `option:"image-long-side" json:"long_side,omitempty" min:"0" doc:"pixels of a picture's longer side as it is sent (default 896)"`
	AllowPrivate bool          `option:"allow-private-images" json:"allow_private,omitempty" doc:"downloads of pictures from this machine and private networks too"`
	AllowOutside bool          `option:"allow-outside-images" json:"allow_outside,omitempty" doc:"reading of pictures anywhere on this machine that the catalogue names, not in its own folder alone"`
	Timeout      time.Duration `option:"image-timeout" json:"timeout,omitempty" runs:"process" doc:"time limit of the download of one picture (default 30s)"`
}

// Grants lists what needs the user's consent where a workspace named it.
func (o Pictures) Grants() (all []consent.Grant) {
	if o.Dir != "" {
		all = append(all, consent.PathGrant(consent.Read, o.Dir, "image-dir"))
	}
	if o.AllowPrivate {
		all = append(all, consent.Grant{What: consent.Permission, Value: "download pictures from this machine and private networks", Options: []string{"allow-private-images"}})
	}
	if o.AllowOutside {
		all = append(all, consent.Grant{What: consent.Permission, Value: "read pictures anywhere on this machine", Options: []string{"allow-outside-images"}})
	}
	return all
}

// record adds what was chosen to the options that decide the item texts, under the names
// of format 1.
func (o Pictures) record(options map[string]string) {
	if o.Dir != "" {
		options["image_dir"] = o.Dir
	}
	if o.LongSide != 0 {
		options["image_long_side"] = strconv.Itoa(o.LongSide)
	}
	if o.AllowPrivate { // pictures that were blocked may be read now
		options["allow_private_images"] = "true"
	}
	if o.AllowOutside {
		options["allow_outside_images"] = "true"
	}
}

// recall reads what record wrote.
func (o *Pictures) recall(options map[string]string) (err error) {
	o.Dir = options["image_dir"]
	o.AllowPrivate = options["allow_private_images"] != ""
	o.AllowOutside = options["allow_outside_images"] != ""
	if side := options["image_long_side"]; side != "" {
		o.LongSide, err = strconv.Atoi(side)
	}
	return err
}

// cacheFolder holds downloads and prepared pictures.
const cacheFolder = "cache"

// pictures reads pictures by an item's reference, relative ones in the workspace's
// image folder.
type pictures struct {
	ws     *workspace.Workspace
	loader *image.Loader
}

// OpenPictures returns the source of pictures, and the items with the references that opt
// leads to. keep says whether downloads are worth keeping.
func OpenPictures(s *stage.Session, opt Pictures, items []dataset.Item, keep bool) (Source, []dataset.Item, error) {
	ws := s.WS
	within, err := folders(s, opt)
	if err != nil {
		return nil, nil, err
	}
	limits := image.Options{Within: within, LongSide: opt.LongSide, AllowPrivate: opt.AllowPrivate, Timeout: opt.Timeout}
	if keep {
		if err := ws.MakeFolder(workspace.ImagesFolder + "/" + cacheFolder); err != nil {
			return nil, nil, image.CacheError(err)
		}
		limits.CacheDir = ws.Path(workspace.ImagesFolder, cacheFolder)
	}
	loader, err := image.NewLoader(limits)
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
	return &pictures{ws, loader}, items, nil
}

// folders returns where pictures may lie: in the workspace, in the folder that the user gave,
// and in that of the catalogue, which the workspace names and the user must have agreed to.
// It is nil where they may lie anywhere.
func folders(s *stage.Session, opt Pictures) (within []string, err error) {
	if opt.AllowOutside {
		return nil, nil
	}
	all := []string{s.WS.Dir()} // not its image folder, which may be a link
	if opt.Dir != "" {
		all = append(all, opt.Dir)
	}
	if dir := s.WS.Manifest().Pictures; dir != "" {
		if err := s.Consent.Allow(s.WS.Path(workspace.ManifestFile), consent.PathGrant(consent.Read, dir)); err != nil {
			return nil, err
		}
		all = append(all, dir)
	}
	for _, dir := range all {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("folder of pictures %s: %w", dir, err)
		}
		within = append(within, abs)
	}
	return within, nil
}

// Source loads the pictures of items; Close lets go of what it holds.
type Source interface {
	Load(ctx context.Context, ref string) (mllm.Image, error)
	Close() error
}

// openFolder reads a folder of pictures under its absolute path, so that what it finds is
// not looked for in the workspace.
func openFolder(dir string) (*image.Folder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of pictures %s: %w", dir, err)
	}
	return image.OpenFolder(abs)
}

// Load implements texts.ImageSource.
func (s *pictures) Load(ctx context.Context, ref string) (mllm.Image, error) {
	return s.loader.Load(ctx, s.absolute(ref))
}

// Stamp implements texts.Stamper.
func (s *pictures) Stamp(ref string) (string, bool) { return s.loader.Stamp(s.absolute(ref)) }

// absolute resolves an item's reference, so that it can be told where a file lies.
func (s *pictures) absolute(ref string) string {
	at := s.ws.ImagePath(ref)
	if at == ref { // a URL or an absolute path
		return at
	}
	if abs, err := filepath.Abs(at); err == nil {
		return abs
	}
	return at
}

func (s *pictures) Close() error { return s.loader.Close() }

// anyURL reports whether some picture has to be downloaded.
func anyURL(items []dataset.Item) bool {
	for _, it := range items {
		if strings.HasPrefix(it.Image, "http") && strings.Contains(it.Image, "://") {
			return true
		}
	}
	return false
}
