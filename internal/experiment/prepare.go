package experiment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// contender is an entry on one data set, with the points of its grid that the data allow.
type contender struct {
	entry  Entry
	data   *data
	points []point
}

// point is one choice of the grid, with what it is trained from.
type point struct {
	chosen map[string]string // of the grid
	given  map[string]string // all settings that the plan gives
	order  order             // but for the seed
}

// data is one workspace of the plan.
type data struct {
	name    string
	session *stage.Session
	about   result.Data
}

// open opens the workspaces of the plan. Names are those of the data sets, made different where two are
// alike.
func (x *Experiment) open(ctx context.Context) error {
	for _, dir := range x.Plan.Data {
		s, err := x.Open(dir)
		if err != nil {
			return err
		}
		m := s.WS.Manifest()
		d := &data{name: m.Name, session: s, about: result.Data{Split: m.Split, Users: m.Users, Items: m.Items, Interactions: m.Interactions}}
		for n := 2; slices.ContainsFunc(x.data, func(o *data) bool { return o.name == d.name }); n++ {
			d.name = fmt.Sprintf("%s-%d", m.Name, n)
		}
		d.about.Name = d.name
		x.data = append(x.data, d)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes what the trials are made from, once, in the workspaces that they are about, and returns the
// contenders that the data allow. What they do not allow is noted with its reason.
func (x *Experiment) prepare(ctx context.Context, d *data) (all []*contender, err error) {
	release, err := d.session.WS.Lock()
	if err != nil {
		return nil, err
	}
	defer release()
	for _, e := range x.Plan.Entries {
		c := &contender{entry: e, data: d}
		var refused error
		for _, chosen := range e.points() {
			p, err := x.point(ctx, d, e, chosen)
			var denied *notAllowed
			switch {
			case errors.As(err, &denied):
				refused = denied.error
				continue
			case err != nil:
				return nil, err
			}
			c.points = append(c.points, p)
		}
		if len(c.points) == 0 {
			if !e.Floor && len(x.Plan.Data) == 1 {
				return nil, fmt.Errorf("entry %s: %w", e.Name(), refused)
			}
			x.leaveOut(d.name, e.Name(), refused)
			continue
		}
		if refused != nil && !e.Floor {
			x.note("%s on %s: %d of %d points of the grid are left out: %v", e.Name(), d.name, len(e.points())-len(c.points), len(e.points()), refused)
		}
		all = append(all, c)
	}
	return all, nil
}

func (x *Experiment) leaveOut(data, entry string, reason error) {
	x.result.LeftOut = append(x.result.LeftOut, result.LeftOut{Data: data, Entry: entry, Reason: reason.Error()})
	x.note("%s is left out on %s: %v", entry, data, reason)
}

// notAllowed is an error of what the data set lacks for a model, unlike one of making what there could
// be, such as a model server that does not answer.
type notAllowed struct{ error }

// Unwrap lets whoever prints it find the hint.
func (n *notAllowed) Unwrap() error { return n.error }

// point settles one choice of an entry's grid.
func (x *Experiment) point(ctx context.Context, d *data, e Entry, chosen map[string]string) (p point, err error) {
	settings, options := map[string]string{}, maps.Clone(x.Plan.Options)
	if options == nil {
		options = map[string]string{}
	}
	maps.Copy(settings, e.Set)
	maps.Copy(options, e.Options)
	maps.Copy(settings, chosen)
	p.chosen, p.given = chosen, maps.Clone(settings)
	trained := !model.Fits(e.Model)
	if x.Plan.Epochs > 0 && (trained || hasSetting(e.Model, "epochs")) {
		if _, own := settings["epochs"]; !own {
			settings["epochs"] = strconv.Itoa(x.Plan.Epochs)
		}
	}
	if trained {
		if _, own := settings["select"]; !own {
			settings["select"] = x.Plan.Select
		}
		if x.Plan.Protocol == MMRec {
			settings["round_score"] = "true"
		}
	}
	o := build.New()
	if err := o.Set().Set("model", e.Model); err != nil {
		return p, err
	}
	for _, pair := range pairs(settings) {
		if err := o.Set().Set("set", pair); err != nil {
			return p, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if err := x.option(o, name, options[name], e); err != nil {
			return p, err
		}
	}
	if err := build.Allowed(d.session, o); err != nil {
		return p, &notAllowed{err}
	}
	made, err := build.Prepare(ctx, d.session, o)
	if err != nil {
		return p, err
	}
	p.order = order{Data: d.name, Entry: e.Name(), Model: e.Model, Settings: made.Settings, Given: p.given, Options: options, Select: x.Plan.Select, From: made.From}
	if trained && x.Plan.Protocol == MMRec {
		p.order.Batches = "published"
	}
	return p, nil
}

// option sets an option of a stage. What the plan gives to all entries is passed over where the model has no
// use for it; what an entry gives itself must have an effect.
func (x *Experiment) option(o *build.Options, name, value string, e Entry) error {
	if _, ok := o.Set().Lookup(name); !ok {
		return usererr.New("The options are those of 'mllmrec run'.", "there is no option %q", name)
	}
	if err := o.Set().Set(name, value); err != nil {
		return err
	}
	if _, own := e.Options[name]; !own {
		o.Set().Configure(name)
	}
	return nil
}

func hasSetting(name, setting string) bool {
	return slices.ContainsFunc(model.Settings(name), func(s model.Setting) bool { return s.Name == setting })
}

// identify gives an order with a seed its name: two are the same if they are made from the same contents under
// the same settings. Of a model that draws nothing by lot all seeds are one trial.
func identify(ws *workspace.Workspace, o order, seed uint64) order {
	if o.Seed = seed; model.Seedless(o.Model) {
		o.Seed = 0
	}
	inputs := []any{ws.Manifest().SplitHash, o.Model, o.Settings, o.Seed, o.Select, o.Batches}
	for _, address := range o.From {
		a, _ := ws.Artefact(address)
		for _, name := range slices.Sorted(maps.Keys(a.Files)) {
			inputs = append(inputs, name, a.Files[name].SHA256)
		}
	}
	o.ID = o.Model + "-" + workspace.HashInputs(inputs...)[:12]
	return o
}
