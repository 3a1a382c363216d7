package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/experiment/figure"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/retraining"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/evaluating"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// How much pages show.
const (
	shownUsers   = 12
	shownItems   = 12
	shownHistory = 24
	shownNear    = 10
	shownFound   = 24
	shownText    = 300
)

func (s *site) home(*http.Request) (any, error) {
	users := s.shop.Arms()[0].Engine.Data.UserIDs
	var some []string
	for n := range min(shownUsers, len(users)) {
		some = append(some, users[n*len(users)/min(shownUsers, len(users))])
	}
	return map[string]any{"Users": some, "Sentences": s.shop.Arms()[0].Engine.ReadsPreferences()}, nil
}

type userPageData struct {
	User       string
	History    []shopfront.Choice
	Earlier    int // items of the history that are not shown
	Preference *shopfront.Preference
	Versions   []live.Preference
	Answer     *shopfront.Answer
}

func (s *site) user(r *http.Request) (any, error) {
	user := r.PathValue("user")
	d := userPageData{User: user}
	var err error
	if d.History, err = s.shop.History(user); err != nil {
		return nil, err
	}
	d.Earlier = max(0, len(d.History)-shownHistory)
	d.History = d.History[d.Earlier:]
	if d.Preference, err = s.shop.Preference(r.Context(), user); err != nil {
		return nil, err
	}
	if d.Versions, err = s.shop.Store().PreferenceHistory(r.Context(), user); err != nil && !live.Unavailable(err) {
		return nil, err
	}
	slices.Reverse(d.Versions)
	d.Answer, err = s.shop.Recommend(r.Context(), shopfront.Query{User: user, K: shownItems, Because: true, Parts: true})
	return d, err
}

func (s *site) describe(r *http.Request) (any, error) {
	text := strings.TrimSpace(r.URL.Query().Get("text"))
	d := map[string]any{"Text": text}
	if text == "" {
		return d, nil
	}
	answer, err := s.shop.Recommend(r.Context(), shopfront.Query{Text: text, K: shownItems, Because: true, Parts: true})
	if usererr.KindOf(err) == usererr.KindMistake {
		hint, _ := usererr.Hint(err)
		d["Problem"], d["Hint"] = capital(err.Error()), hint
		return d, nil
	}
	d["Answer"] = answer
	return d, err
}

func (s *site) search(r *http.Request) (any, error) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	items, total := s.shop.Search(q, 0, shownFound)
	return map[string]any{"Q": q, "Items": items, "Total": total}, nil
}

func (s *site) item(r *http.Request) (any, error) {
	id := r.PathValue("item")
	x, err := s.shop.Item(r.Context(), id, shownNear)
	if err != nil {
		return nil, err
	}
	similar, err := s.shop.Similar(r.Context(), id, shownItems, shopfront.Filter{})
	return map[string]any{"It": x, "Graph": neighbourhood(x), "Similar": similar}, err
}

// neighbourhood draws an item in the middle of those that it is tied to: whole lines for shared audiences, dashed ones for like contents,
// the thicker the stronger. Lines between the others are edges of the item graph.
func neighbourhood(x *shopfront.ItemInfo) template.HTML {
	if len(x.Near) == 0 {
		return ""
	}
	const width, height, cx, cy, radiusX, radiusY = 760.0, 460.0, 380.0, 230.0, 250.0, 170.0
	type point struct{ x, y float64 }
	at := make([]point, len(x.Near))
	strength := func(n shopfront.Near) float64 { return n.Weight }
	if slices.ContainsFunc(x.Near, func(n shopfront.Near) bool { return n.Edge > 0 }) {
		strength = func(n shopfront.Near) float64 { return n.Edge }
	}
	most := 0.0
	for n := range x.Near {
		angle := 2*math.Pi*float64(n)/float64(len(x.Near)) - math.Pi/2
		at[n] = point{cx + radiusX*math.Cos(angle), cy + radiusY*math.Sin(angle)}
		most = max(most, strength(x.Near[n]))
	}
	var b bytes.Buffer
	esc := template.HTMLEscapeString
	fmt.Fprintf(&b, `<svg class="graph" viewBox="0 0 %.0f %.0f" role="group" aria-label="%s"><title>%s and what it is tied to</title>`, width, height,
		esc(fmt.Sprintf("%s and the %d items that it is tied to; the list below says the same", called(x.Item.Title, x.Item.ID), len(x.Near))), esc(called(x.Item.Title, x.Item.ID)))
	for n := range x.Near {
		for m := range n {
			if w := x.Near[n].To[m]; w > 0 {
				fmt.Fprintf(&b, `<line class="between" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, at[n].x, at[n].y, at[m].x, at[m].y)
			}
		}
	}
	for n, near := range x.Near {
		kind := "content"
		if near.Via == "chosen together" {
			kind = "audience"
		}
		fmt.Fprintf(&b, `<line class="%s" stroke-width="%.1f" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, kind, 1+4*max(0, strength(near))/max(most, 1e-12), cx, cy, at[n].x, at[n].y)
	}
	node := func(p point, class, title string) {
		fmt.Fprintf(&b, `<circle class="%s" cx="%.1f" cy="%.1f" r="7"/>`, class, p.x, p.y)
		anchor, dx, dy := "middle", 0.0, -14.0
		switch {
		case p.x > cx+60:
			anchor, dx, dy = "start", 12, 4
		case p.x < cx-60:
			anchor, dx, dy = "end", -12, 4
		case p.y > cy:
			dy = 24
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, p.x+dx, p.y+dy, anchor, esc(clip(title, 18)))
	}
	for n, near := range x.Near {
		fmt.Fprintf(&b, `<a href="/i/%s">`, esc(pathEscape(near.Item.ID)))
		node(at[n], "near", called(near.Item.Title, near.Item.ID))
		b.WriteString("</a>")
	}
	fmt.Fprintf(&b, `<circle class="middle" cx="%.1f" cy="%.1f" r="10"/></svg>`, cx, cy)
	return template.HTML(b.String()) //nolint:gosec // every text in it was escaped above
}

// pictureTypes are those that browsers show and that hold no script.
var pictureTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

const maxPicture = 20 << 20

// picture sends the picture of an item, if it is a file in the workspace's folder of pictures. Other machines are not asked for any.
func (s *site) picture(w http.ResponseWriter, r *http.Request) {
	x, err := s.shop.Item(r.Context(), r.PathValue("item"), 0)
	if err != nil || x.Item.Image == "" || strings.Contains(x.Item.Image, ":") {
		http.NotFound(w, r)
		return
	}
	raw, err := readPicture(s.opt.Dir, x.Item)
	kind := http.DetectContentType(raw)
	if err != nil || !slices.Contains(pictureTypes, kind) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=300")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
}

// readPicture reads a picture below the workspace's folder; a link that leads out of it is not followed.
func readPicture(dir string, it *dataset.Item) ([]byte, error) {
	if path.IsAbs(it.Image) || filepath.IsAbs(it.Image) {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(filepath.Join(dir, workspace.ImagesFolder))
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	return plainfile.ReadIn(root, filepath.FromSlash(it.Image), maxPicture)
}

type runData struct {
	ID         string // as the shop names it
	Run        *training.Run
	Evaluation *evaluating.Evaluation
	Curve      template.HTML
	Served     bool
	Seconds    float64
	Found      [][2]string
	Settings   [][2]string
	From       [][2]string
}

// runs shows the finished runs side by side, the latest first.
func (s *site) runs(r *http.Request) (any, error) {
	var rows []*runData
	err := retraining.EachWorkspace(s.opt.Dir, func(generation string, ws *workspace.Workspace) error {
		list, err := training.List(ws)
		for _, run := range list {
			if err != nil || !run.Finished {
				continue
			}
			var d *runData
			if d, err = s.about(ws, retraining.Name(generation, run.ID), run.ID); err == nil {
				rows = append(rows, d)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	history, err := s.shop.Store().ServingHistory(r.Context())
	if err != nil && !live.Unavailable(err) {
		return nil, err
	}
	slices.Reverse(history)
	return map[string]any{"Runs": rows, "History": history}, nil
}

func (s *site) about(ws *workspace.Workspace, name, id string) (*runData, error) {
	run, address, err := training.Find(ws, id)
	if err != nil {
		return nil, err
	}
	d := &runData{ID: name, Run: run, Found: sorted(run.Found), Settings: sorted(run.Settings)}
	for _, arm := range s.shop.Arms() {
		d.Served = d.Served || arm.Run == d.ID
	}
	for kind, from := range run.From {
		d.From = append(d.From, [2]string{string(kind), from})
	}
	slices.SortFunc(d.From, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for _, e := range run.Epochs {
		d.Seconds += e.TrainSeconds + e.EvalSeconds
	}
	for _, evaluation := range ws.Addresses(workspace.KindEvaluation) {
		a, _ := ws.Artefact(evaluation)
		if a.Inputs[workspace.KindRun].Address == address {
			if d.Evaluation, err = evaluating.Load(ws, evaluation); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func sorted(m map[string]string) (all [][2]string) {
	for k, v := range m {
		all = append(all, [2]string{k, v})
	}
	slices.SortFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}

func (s *site) run(r *http.Request) (any, error) {
	dir, id, err := retraining.Locate(s.opt.Dir, r.PathValue("run"))
	if err != nil {
		return nil, err
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	d, err := s.about(ws, r.PathValue("run"), id)
	if err != nil {
		return nil, err
	}
	if len(d.Run.Epochs) > 1 {
		recall, ndcg := figure.Series{Label: "valid Recall@20"}, figure.Series{Label: "valid NDCG@20"}
		for _, e := range d.Run.Epochs {
			recall.X, recall.Y = append(recall.X, float64(e.Epoch)), append(recall.Y, e.Valid["recall@20"])
			ndcg.X, ndcg.Y = append(ndcg.X, float64(e.Epoch)), append(ndcg.Y, e.Valid["ndcg@20"])
		}
		d.Curve = template.HTML(figure.Lines("epoch", "validation", []figure.Series{recall, ndcg}).Inline()) //nolint:gosec // numbers and words of ours
	}
	return d, nil
}

type textsData struct {
	Describe, Reason asking.Counts
	Stages           []stage.Status
	Items            []pair
	Users            []pair
}

// pair is what a text was written from, beside it.
type pair struct {
	ID, Title, From, Text string
}

const (
	shownSamples = 6
)

// texts shows how far the writing of texts is, and some of them beside what they were written from.
func (s *site) texts(r *http.Request) (any, error) {
	ws, err := workspace.Open(s.opt.Dir)
	if err != nil {
		return nil, err
	}
	d := &textsData{Stages: stage.StatusOf(ws)}
	if d.Describe, d.Reason, err = asking.Count(r.Context(), ws, nil); err != nil {
		return nil, err
	}
	engine := s.shop.Arms()[0].Engine
	every := func(n int) []int {
		var at []int
		for k := range min(shownSamples, n) {
			at = append(at, k*n/min(shownSamples, n))
		}
		return at
	}
	for _, i := range every(engine.Items()) {
		text, err := engine.Text(r.Context(), int32(i))
		if err != nil {
			return nil, err
		}
		it := engine.Data.Items[i]
		d.Items = append(d.Items, pair{it.ID, it.Title, clip(it.Text(), shownText), clip(text, shownText)})
	}
	for _, u := range every(engine.Data.Users()) {
		text, err := engine.Preference(r.Context(), int32(u))
		if err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		var titles []string
		for _, i := range engine.Train.Items(u) {
			titles = append(titles, called(engine.Data.Items[i].Title, engine.Data.Items[i].ID))
		}
		d.Users = append(d.Users, pair{engine.Data.UserIDs[u], "", clip(strings.Join(titles, "; "), shownText), clip(text, 2*shownText)})
	}
	return d, nil
}

type docsOperation struct {
	Method, Path, Summary, Description, Role string
	Parameters                               [][3]string // name, where, what
	Body                                     string
}

// docs shows the API, made from the same description as /openapi.json.
func (s *site) docs(*http.Request) (any, error) {
	groups := map[string][]docsOperation{}
	var names []string
	spec := s.api.OpenAPI()
	for _, address := range sortedPaths(spec) {
		for _, op := range operationsOf(spec.Paths[address]) {
			d := docsOperation{Method: op.Method, Path: address, Summary: op.Summary, Description: op.Description}
			for _, needs := range op.Security {
				d.Role = strings.Join(needs["key"], ", ")
			}
			for _, p := range op.Parameters {
				d.Parameters = append(d.Parameters, [3]string{p.Name, p.In, p.Description})
			}
			d.Body = bodyOf(spec, op)
			tag := op.Tags[0]
			if groups[tag] == nil {
				names = append(names, tag)
			}
			groups[tag] = append(groups[tag], d)
		}
	}
	slices.Sort(names)
	return map[string]any{"Names": names, "Groups": groups}, nil
}
