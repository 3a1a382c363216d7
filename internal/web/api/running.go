package api

import (
	"context"
	"net/http"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/live"
)

const tagRuns = "Operation"

type infoOut struct{ Body *client.Info }

func (a *API) running() {
	register(a, operation{id: "info", method: http.MethodGet, path: "/v1/info", tag: tagRuns, role: live.Read, summary: "What is served, and which runs there are"},
		func(context.Context, *struct{}) (*infoOut, error) {
			info, err := a.Info()
			return &infoOut{info}, err
		})
	register(a, operation{id: "serve-run", method: http.MethodPut, path: "/v1/serving", tag: tagRuns, role: live.Admin,
		summary: "Serve another run, or go back", description: "No request fails meanwhile. A run that cannot be opened is refused, and what is served goes on."},
		func(ctx context.Context, in *struct {
			Body struct {
				Run string `json:"run" minLength:"1" maxLength:"1024" doc:"id of a run of the workspace"`
				Why string `json:"why,omitempty" maxLength:"4000"`
			}
		}) (*infoOut, error) {
			if err := a.Serve(ctx, in.Body.Run, in.Body.Why); err != nil {
				return nil, err
			}
			info, err := a.Info()
			return &infoOut{info}, err
		})
	a.mux.HandleFunc("GET /live", alive)
	a.mux.HandleFunc("GET /ready", a.ready)
}

// Serve swaps to another run, which is opened first: one that cannot be is refused, and what is served goes on.
func (a *API) Serve(ctx context.Context, run, why string) error {
	if err := a.shop.CanServe(ctx, run); err != nil {
		return err
	}
	if _, err := a.shop.Store().Serve(ctx, live.ServingState{Run: run, Why: why}, live.AnyVersion); err != nil {
		return err
	}
	return a.shop.CatchUp(ctx)
}

func alive(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("alive\n")) } //nolint:errcheck // whoever asked has gone

// ready says whether the server can answer. It can while the live state is away: what is served is in memory.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) {
	text := "ready\n"
	if a.shop.Away() != "" {
		text = "ready, but the live state cannot be read: feedback and edits are refused\n"
	}
	w.Write([]byte(text)) //nolint:errcheck // whoever asked has gone
}

// Info says what is served.
func (a *API) Info() (*client.Info, error) {
	n := a.shop.Counts()
	info := &client.Info{Version: a.opt.Version, Users: n.Users, Items: n.Items, Added: n.Added, Changed: n.Changed, Hidden: n.Hidden, Away: a.shop.Away(), Runs: []client.Run{}}
	arms := a.shop.Arms()
	info.Workspace = arms[0].Engine.Workspace().Manifest().Name
	if a.opt.Building != nil {
		info.Building = a.opt.Building()
	}
	if a.opt.Runs != nil {
		runs, err := a.opt.Runs()
		if err != nil {
			return nil, err
		}
		info.Runs = append(info.Runs, runs...)
	}
	for _, arm := range arms {
		for n := range info.Runs {
			if r := &info.Runs[n]; r.ID == arm.Run {
				r.Served, r.Share = true, r.Share+arm.Share
				if r.Arm != "" && arm.Name != "" {
					r.Arm += ", "
				}
				r.Arm += arm.Name
			}
		}
	}
	return info, nil
}
