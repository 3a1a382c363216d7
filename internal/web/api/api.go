// Package api is the HTTP API of a served shop: its operations, who may call them, and what they cost. What they say is in package
// client, what answers is package shopfront.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/shopfront"
)

// Options of an API.
type Options struct {
	Version string
	Open    bool // without keys everybody may do everything
	// Local says that only this machine reaches the server. While there are no keys, requests must then name this machine as their host: a
	// page of elsewhere whose name was made to lead here names itself.
	Local    bool
	Rate     float64                      // requests a second of one key; 0: any number
	Runs     func() ([]client.Run, error) // of the workspace
	Building func() string                // what is being trained; "" if nothing is
	Log      *slog.Logger                 // a line a request; nil: none
}

// API answers over HTTP.
type API struct {
	shop    *shopfront.Shop
	opt     Options
	gate    *Gate
	metrics *metrics
	api     huma.API
	mux     *http.ServeMux
}

// maxBody bounds what a request may send, in bytes; feedback and items come in bulk.
const (
	maxBody = 256 << 10
	maxBulk = 8 << 20
)

// New makes the API of a shop.
func New(shop *shopfront.Shop, opt Options) *API {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{shop: shop, opt: opt, gate: NewGate(shop, opt.Open, opt.Rate), mux: http.NewServeMux()}
	a.metrics = newMetrics(a)
	config := huma.DefaultConfig("MLLMRec", opt.Version)
	config.Info.Description = "Recommendations of a shop. Users are sentences: a newcomer is served without training, a preference can be read and edited, and every score is a sum that adds up."
	config.CreateHooks = nil // no links to schemas in answers
	config.DocsPath = ""     // the page of package pages loads nothing from elsewhere
	config.OpenAPIPath = "/openapi"
	config.SchemasPath = ""
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "an API key, made by 'mllmrec key add'"}}
	a.api = humago.New(a.mux, config)
	a.api.UseMiddleware(a.guard)
	a.recommendations()
	a.preferences()
	a.items()
	a.feedback()
	a.running()
	a.mux.Handle("GET /metrics", a.admin(a.metrics.handler()))
	return a
}

// Gate tells who calls.
func (a *API) Gate() *Gate { return a.gate }

// OpenAPI describes the API.
func (a *API) OpenAPI() *huma.OpenAPI { return a.api.OpenAPI() }

// Mux is where pages can be added.
func (a *API) Mux() *http.ServeMux { return a.mux }

// Handler answers requests.
func (a *API) Handler() http.Handler { return a.wrap(a.fromHere(a.mux)) }

// Admin answers on a port apart: metrics, and whether the server lives and is ready. Nobody is asked for a key there.
func (a *API) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.handler())
	mux.HandleFunc("GET /live", alive)
	mux.HandleFunc("GET /ready", a.ready)
	return mux
}

// operation describes what everybody must say of an operation: who may call it and how much it may send.
type operation struct {
	id, method, path, summary, tag string
	role                           live.Role
	body                           int64
	description                    string
	status                         int
}

// roleKey is the name of an operation's role in its metadata.
const roleKey = "role"

func register[I, O any](a *API, op operation, do func(context.Context, *I) (*O, error)) {
	o := huma.Operation{OperationID: op.id, Method: op.method, Path: op.path, Summary: op.summary, Description: op.description, Tags: []string{op.tag},
		Metadata: map[string]any{roleKey: op.role}, MaxBodyBytes: op.body, BodyReadTimeout: 15 * time.Second, DefaultStatus: op.status}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = maxBody
	}
	if op.role != "" {
		o.Security = []map[string][]string{{"key": {string(op.role)}}}
	}
	huma.Register(a.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}
