package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Offline names the author that needs no model: pixels are measured, preferences are
// extracted from the users' train items. The other authors are model servers, of the
// kinds of package mllm/connect.
const Offline = "offline"

// AuthorOptions says who describes pictures and writes preferences. The zero value of
// every field but MLLM means its default; all but MLLM, Limit, Concurrency, Store and
// the pictures' are for model servers and refused with Offline. What is encoded as JSON
// is kept in the workspace, and holds no secret.
type AuthorOptions struct {
	MLLM  string `json:"mllm"`
	Model string `json:"model,omitempty"` // ollama: gemma3:27b, as in the paper

	BaseURLs    []string      `json:"base_urls,omitempty"`   // see connect.Options
	KeyEnv      string        `json:"api_key_env,omitempty"` // name of the variable that holds the key
	Concurrency int           `json:"concurrency,omitempty"` // requests in flight an endpoint
	RPM         float64       `json:"rpm,omitempty"`
	TPM         float64       `json:"tpm,omitempty"`
	Timeout     time.Duration `json:"timeout,omitempty"`
	KeepAlive   string        `json:"keep_alive,omitempty"`
	Attempts    int           `json:"attempts,omitempty"` // of one question whose answer is no good
	MaxCost     float64       `json:"-"`
	MaxTime     time.Duration `json:"-"`
	Prices      string        `json:"prices,omitempty"` // a price table's file

	Prompts     string  `json:"prompts,omitempty"` // a template or a folder of them
	Words       int     `json:"words,omitempty"`
	Script      string  `json:"script,omitempty"`
	Temperature float64 `json:"temperature,omitempty"`
	Seed        int64   `json:"seed,omitempty"`
	MaxTokens   int     `json:"max_tokens,omitempty"`
	NumCtx      int     `json:"num_ctx,omitempty"`
	Window      int     `json:"window,omitempty"`
	LongHistory string  `json:"long_history,omitempty"` // recurrent | latest
	LatestN     int     `json:"latest_n,omitempty"`

	Pictures PictureOptions `json:"pictures,omitzero"`
	Limit    int            `json:"-"` // ask about at most so many subjects; below 0: about none
	Store    string         `json:"-"` // a postgres:// address; "" = the workspace's own file
	Workers  bool           `json:"-"` // workers that share the store ask, not this process

	pool *mllm.Pool // to be shared by several stages, so that limits hold over all of them; nil = one for each
}

// used names the options that only mean something to model servers and are set.
func (o AuthorOptions) used() []string {
	var names []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"model", o.Model != ""}, {"base-url", len(o.BaseURLs) > 0}, {"api-key-env", o.KeyEnv != ""},
		{"rpm", o.RPM != 0}, {"tpm", o.TPM != 0}, {"timeout", o.Timeout != 0}, {"keep-alive", o.KeepAlive != ""},
		{"attempts", o.Attempts != 0}, {"max-cost", o.MaxCost != 0}, {"max-hours", o.MaxTime != 0}, {"prices", o.Prices != ""},
		{"prompts", o.Prompts != ""}, {"words", o.Words != 0}, {"script", o.Script != ""}, {"temperature", o.Temperature != 0},
		{"model-seed", o.Seed != 0}, {"max-tokens", o.MaxTokens != 0}, {"num-ctx", o.NumCtx != 0}, {"window", o.Window != 0},
		{"long-history", o.LongHistory != ""}, {"latest", o.LatestN != 0},
		{"workers", o.Workers},
	} {
		if f.set {
			names = append(names, f.name)
		}
	}
	return names
}

// workersOwn names the options that are set but mean nothing to a process that lets
// workers ask.
func (o AuthorOptions) workersOwn() []string {
	var names []string
	for _, name := range o.used() {
		switch name {
		case "rpm", "tpm", "timeout", "keep-alive", "max-cost", "max-hours", "prices":
			names = append(names, name)
		}
	}
	if o.Concurrency != 0 {
		names = append(names, "concurrency")
	}
	if o.KeyEnv != "" && len(o.BaseURLs) == 0 && o.MLLM == connect.OpenAI { // nothing here needs a key
		names = append(names, "api-key-env")
	}
	return names
}

func (o AuthorOptions) check() error {
	if o.Workers && o.MLLM != Offline {
		if !isPostgres(o.Store) {
			return usererr.New("Give the database that workers share with --store postgres://…", "--workers has no effect without a shared ledger")
		}
		if names := o.workersOwn(); len(names) > 0 {
			return usererr.New("Leave it out here and give it to 'mllmrec worker'.", "--%s has no effect with --workers: it is each worker's own", names[0])
		}
	}
	switch o.MLLM {
	case Offline:
		if names := o.used(); len(names) > 0 {
			return usererr.New("Leave it out, or choose a model server: --mllm ollama or --mllm openai.", "--%s has no effect with --mllm offline", names[0])
		}
		return nil
	case connect.Ollama:
		return nil
	case connect.OpenAI:
		if o.Model == "" {
			return usererr.New("Name it with --model (in 'mllmrec run': --mllm-model).", "an OpenAI-compatible server has no default model")
		}
		return nil
	}
	return usererr.New("Use ollama, openai (any OpenAI-compatible server), or offline.", "unknown --mllm %q", o.MLLM)
}

func (o AuthorOptions) model() string {
	if o.Model == "" {
		return ollama.DefaultModel
	}
	return o.Model
}

// prices returns the table that costs are reckoned by; nil for a local server's, which
// are nothing unless the user says otherwise.
func (o AuthorOptions) prices() (*mllm.PriceTable, error) {
	switch {
	case o.Prices != "":
		return mllm.LoadPrices(o.Prices)
	case o.MLLM == connect.Ollama && o.MaxCost == 0:
		return nil, nil
	}
	return mllm.DefaultPrices(), nil
}

// served are the options of the describer and the reasoner.
func (o AuthorOptions) served(steps writer.ConclusionStore) (writer.Options, error) {
	prompts, err := prompt.Load(o.Prompts)
	if err != nil {
		return writer.Options{}, err
	}
	var script check.Script
	if o.Script != "" {
		if script, err = check.ParseScript(o.Script); err != nil {
			return writer.Options{}, err
		}
	}
	return writer.Options{Model: o.model(), Prompts: prompts, Limits: prompt.Options{Words: o.Words}, Temperature: o.Temperature, Seed: o.Seed,
		MaxTokens: o.MaxTokens, NumCtx: o.NumCtx, Timeout: o.Timeout, Script: script, Window: o.Window,
		History: writer.History(o.LongHistory), LatestN: o.LatestN, Conclusions: steps}, nil
}

// author writes texts: it makes the describer and the reasoner of one choice of
// AuthorOptions.
type author struct {
	opt    AuthorOptions
	client mllm.Client    // nil: offline
	pool   *mllm.Pool     // nil: offline, or not to be asked
	before mllm.PoolStats // what the pool had done when this author got it
}

// newAuthor makes the author; no server is asked yet.
func newAuthor(opt AuthorOptions) (*author, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	if opt.MLLM == Offline {
		return &author{opt: opt}, nil
	}
	if opt.Workers && len(opt.BaseURLs) == 0 {
		return newTold(opt)
	}
	pool := opt.pool
	if pool == nil {
		prices, err := opt.prices()
		if err != nil {
			return nil, err
		}
		if pool, err = opt.connect(prices); err != nil {
			return nil, err
		}
	}
	return &author{opt: opt, client: pool, pool: pool, before: pool.Stats()}, nil
}

// newTold makes an author whose model workers tell of.
func newTold(opt AuthorOptions) (*author, error) {
	t := &told{store: opt.Store, model: opt.model()}
	if opt.MLLM == connect.Ollama { // the kind that has a default address
		local, err := opt.connect(nil)
		if err != nil {
			return nil, err
		}
		t.fallback = local
	}
	return &author{opt: opt, client: t}, nil
}

// silentAuthor makes an author of the same settings that no server stands behind: for
// what would be sent, what it would cost, and answers that come by other ways.
func silentAuthor(opt AuthorOptions) (*author, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	if opt.MLLM == Offline {
		return &author{opt: opt}, nil
	}
	return &author{opt: opt, client: nobody{}}, nil
}

// free reports whether answers cost nothing to make again.
func (a *author) free() bool { return a.opt.MLLM == Offline }

// describer returns the describer, after asking the server about its model.
func (a *author) describer(ctx context.Context) (texts.Describer, error) {
	if a.free() {
		return offline.Describer{}, nil
	}
	opt, err := a.opt.served(nil)
	if err != nil {
		return nil, err
	}
	d, err := writer.NewDescriber(ctx, a.client, opt)
	if err != nil {
		return nil, a.explain(err)
	}
	return d, nil
}

// reasoner returns the reasoner, after asking the server about its model. The offline
// one weighs words by the catalogue's texts.
func (a *author) reasoner(ctx context.Context, corpus []string, steps writer.ConclusionStore) (texts.Reasoner, error) {
	if a.free() {
		return offline.NewReasoner(corpus), nil
	}
	opt, err := a.opt.served(steps)
	if err != nil {
		return nil, err
	}
	r, err := writer.NewReasoner(ctx, a.client, opt)
	if err != nil {
		return nil, a.explain(err)
	}
	return r, nil
}

// explain makes a server that does not answer the user's to mend, and names the ways on.
func (a *author) explain(err error) error {
	switch mllm.ClassOf(err) {
	case mllm.Auth:
		return usererr.Wrap(err, fmt.Sprintf("Export the server's key as %s, or name the variable that holds it with --api-key-env.", connect.DefaultKeyEnv))
	case mllm.Network, mllm.Timeout, mllm.Server, mllm.BadResponse, mllm.RateLimit, mllm.Unavailable:
	default:
		return err
	}
	if a.opt.Workers {
		return usererr.Wrap(fmt.Errorf("what the model %s is must be known before questions about it are queued, and neither a worker nor a server tells: %w", a.opt.model(), err),
			"Start a worker that reaches the model ('mllmrec worker --store …') and leave out --base-url, or name one server that has it with --base-url.")
	}
	if a.opt.MLLM == connect.Ollama {
		return usererr.Wrap(fmt.Errorf("no model server answers: %w", err),
			fmt.Sprintf("Either start one ('ollama serve', then 'ollama pull %s') or name one that runs with --base-url; or do without a model: --mllm offline.", a.opt.model()))
	}
	return usererr.Wrap(fmt.Errorf("no model server answers: %w", err),
		"Either start the server or name one that runs with --base-url; or do without a model: --mllm offline.")
}

// explainRun does the same for a run that ended early.
func (a *author) explainRun(err error) error {
	if mllm.ClassOf(err) == mllm.Auth {
		return a.explain(err)
	}
	return err
}

// unreachable reports whether err says that no server answered.
func unreachable(err error) bool {
	switch mllm.ClassOf(err) {
	case mllm.Network, mllm.Timeout, mllm.Unavailable, mllm.Server:
		return true
	}
	return false
}

// nobody is a client behind which there is no server, but which may know of models.
type nobody struct{ models []mllm.ModelInfo }

func (nobody) Generate(context.Context, mllm.Request) (mllm.Response, error) {
	return mllm.Response{}, &mllm.Error{Class: mllm.Unavailable, Err: fmt.Errorf("no server is to be asked")}
}

func (n nobody) Describe(context.Context) (mllm.ServerInfo, error) {
	return mllm.ServerInfo{Kind: "nobody", Models: n.models}, nil
}

func (nobody) Endpoint() string { return "nobody" }
