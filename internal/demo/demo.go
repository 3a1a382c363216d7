// Package demo runs the whole job on the built-in shop and collects what is worth
// showing: the demo command and the README's first minute.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/demo/shop"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/evaluating"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/web"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// PageFile is the page to look at, in the output folder.
const PageFile = "index.html"

// Epochs is the default limit. Training mostly stops itself before; a demo has a minute.
const Epochs = 150

// Sentence is what the demo says to the cold-start recommender.
const Sentence = "something red with stripes for the kitchen"

// paperModel is what the demo trains: the model that reads all that the stages before it make.
const paperModel = "mllmrec"

const (
	shoppersShown = 4
	itemsShown    = 5
)

// Options of a demo.
type Options struct {
	Dir     string // made if absent; an earlier demo in it is gone on with
	Seed    uint64
	Epochs  int // at most; 0 = Epochs
	Observe stage.Observer
}

// Item is a catalogue item in the result.
type Item struct {
	ID    string `json:"item"`
	Title string `json:"title"`
}

// Shopper is one user with what the model makes of them.
type Shopper struct {
	User            string                   `json:"user"`
	History         []Item                   `json:"history"`
	Bought          []Item                   `json:"held_out"` // valid and test items
	Preference      string                   `json:"preference"`
	Recommendations []mllmrec.Recommendation `json:"recommendations"`
}

// Result is what demo prints with --json.
type Result struct {
	Out        string                   `json:"out"`
	Workspace  string                   `json:"workspace"`
	Seconds    float64                  `json:"seconds"`
	Statistics dataset.Stats            `json:"statistics"`
	Evaluation *evaluating.Evaluation   `json:"evaluation"`
	Users      []Shopper                `json:"users"`
	Sentence   string                   `json:"sentence"`
	ForText    []mllmrec.Recommendation `json:"for_sentence"`
}

// Run draws the shop, runs every stage and collects the result.
func Run(ctx context.Context, opt Options) (*Result, error) {
	start := time.Now()
	ws, pictures, err := openShop(opt)
	if err != nil {
		return nil, err
	}
	release, err := ws.Lock()
	if err != nil {
		return nil, err
	}
	defer release()
	if err := drawMissing(ws, opt.Seed, pictures); err != nil {
		return nil, err
	}
	ropt := build.New()
	ropt.Train.Model = paperModel
	ropt.Writer.MLLM, ropt.Train.Seed = backend.Offline, opt.Seed
	ropt.Train.Settings = []string{"epochs=" + strconv.Itoa(cmp.Or(opt.Epochs, Epochs))}
	session := stage.NewSession(ws, opt.Observe)
	done, err := build.Run(ctx, session, ropt, false)
	if err != nil {
		return nil, err
	}
	res := &Result{Out: opt.Dir, Workspace: ws.Dir(), Evaluation: done.Evaluation, Sentence: Sentence}
	if err := res.collect(ctx, session); err != nil {
		return nil, err
	}
	res.Seconds = time.Since(start).Seconds()
	return res, atomicfile.Write(filepath.Join(opt.Dir, PageFile), func(w io.Writer) error { return web.WriteShop(w, res) })
}

// openShop makes a workspace of the shop in the folder, or finds that of an earlier demo.
// Where it made one it returns the pictures that belong into it.
func openShop(opt Options) (*workspace.Workspace, map[string][]byte, error) {
	dir := filepath.Join(opt.Dir, "shop.ws")
	if _, err := os.Stat(filepath.Join(dir, "workspace.json")); err == nil {
		ws, err := workspace.Open(dir)
		if err != nil {
			return nil, nil, err
		}
		if have, want := ws.Manifest().Source.Options["seed"], fmt.Sprint(opt.Seed); have != want {
			return nil, nil, usererr.New("Give another folder, or remove this one.", "%s holds a demo of seed %s, not %s", opt.Dir, have, want)
		}
		return ws, nil, nil
	}
	ds, pictures := shop.Shop(opt.Seed)
	if _, err := dataset.Prepare(ds, 0, dataset.SplitOptions{Name: dataset.SplitByLatest}); err != nil {
		return nil, nil, fmt.Errorf("split the shop: %w", err)
	}
	ws, err := workspace.Create(dir, ds, workspace.Source{Kind: "demo", Options: map[string]string{"seed": fmt.Sprint(opt.Seed)}})
	return ws, pictures, err
}

// drawMissing writes the pictures, again where an earlier demo was stopped at them.
func drawMissing(ws *workspace.Workspace, seed uint64, pictures map[string][]byte) error {
	dir := ws.Path(workspace.ImagesFolder)
	if shop.Drawn(dir, ws.Manifest().Items) {
		return nil
	}
	if pictures == nil {
		_, pictures = shop.Shop(seed)
	}
	return shop.WriteImages(dir, pictures)
}

func (r *Result) collect(ctx context.Context, session *stage.Session) error {
	ws := session.WS
	ds, err := session.Dataset()
	if err != nil {
		return err
	}
	r.Statistics = dataset.Compute(ds)
	written, _, _ := ws.Current(workspace.KindUserTexts)
	texts, err := ws.UserTexts(written)
	if err != nil {
		return err
	}
	preference := map[string]string{}
	for _, t := range texts {
		if t.Fold < 0 {
			preference[t.User] = t.Text
		}
	}
	rec, err := mllmrec.Open(ctx, ws.Dir())
	if err != nil {
		return err
	}
	defer rec.Close() //nolint:errcheck // nothing is written through it
	judge, err := session.Judge()
	if err != nil {
		return err
	}
	for n := range shoppersShown {
		row := n * ds.Users() / shoppersShown
		user := ds.UserIDs[row]
		s := Shopper{User: user, Preference: preference[user]}
		for _, i := range judge.HeldOutItems(row) {
			s.Bought = append(s.Bought, Item{ds.Items[i].ID, ds.Items[i].Title})
		}
		history, err := rec.History(user)
		if err != nil {
			return err
		}
		for _, i := range history {
			s.History = append(s.History, Item{i.ID, i.Title})
		}
		if s.Recommendations, err = rec.ForUser(ctx, user, itemsShown); err != nil {
			return err
		}
		r.Users = append(r.Users, s)
	}
	r.ForText, err = rec.ForText(ctx, Sentence, itemsShown)
	return err
}
