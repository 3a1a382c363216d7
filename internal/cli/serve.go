package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/retraining"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/web/api"
	"github.com/mllmrec/mllmrec/internal/web/host"
	"github.com/mllmrec/mllmrec/internal/web/pages"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// serveFlags are those of serve.
type serveFlags struct {
	run, addr, admin, store, cert, key, writer, cache, log string
	counts, arms                                           []string
	rate                                                   float64
	open, stay                                             bool
	every                                                  time.Duration
}

// The models of a workspace without a run: one that is there in seconds, and the one that takes its place.
const (
	quickModel  = "bm25"
	servedModel = "hybrid"
)

func (a *app) serveCmd() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve WS",
		Short: "Serve recommendations over HTTP, with pages to look at them",
		Long: `Serve answers over HTTP from one run, held in memory: recommendations for users, for somebody
never seen by the items they chose or by a sentence, similar items, preferences that can be
read and edited, explanations that add up. Feedback, edits, and items that come, change or
are hidden are durable before the reply and heeded by the next answer; they are kept in
live.db of the workspace, or in PostgreSQL (--store), where several servers share them.
The API is described at /docs and /openapi.json, pages are at /.

--arm serves several runs side by side, each to its share of the users; the arm stands in the
answer, its header, the log and the feedback, and 'mllmrec ab' says what the test shows. It is
recorded for all replicas; serving one run, on the page of runs or by the API, ends it.

The run is the one that is recorded as served, else the one that was made or chosen last.
A workspace without a run is served within seconds by ` + quickModel + `; ` + servedModel + ` is made meanwhile, by a
process of its own and without a model server, and takes its place.

Without API keys everybody who reaches the server may do everything: then only this machine
may reach it. 'mllmrec key add' makes keys. Stopped by Ctrl-C or SIGTERM, the server lets
requests under way end.`,
		Example: `  mllmrec serve shop.ws
  mllmrec serve shop.ws --run best --addr 127.0.0.1:9000
  mllmrec key add shop.ws --name app --role read,feedback
  mllmrec serve shop.ws --addr :8443 --tls-cert cert.pem --tls-key key.pem --rate 200 --admin-addr 127.0.0.1:9090`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.dir = args[0]
			return a.serve(cmd.Context(), args[0], &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.run, "run", "", "id of the run to serve, or best: the best on validation (default: the one recorded as served, else the last)")
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8080", "address to listen at")
	flags.StringVar(&f.admin, "admin-addr", "", "address of metrics and of live and ready, which ask for no key (default: on --addr, metrics for admins)")
	flags.StringVar(&f.store, "store", "", storeOfShop)
	flags.StringVar(&f.cert, "tls-cert", "", "file of the TLS certificate chain; with --tls-key")
	flags.StringVar(&f.key, "tls-key", "", "file of the certificate's private key; with --tls-cert")
	flags.StringVar(&f.writer, "mllm", "", "who writes preferences of people never seen, such as offline (default: who wrote the run's)")
	flags.StringVar(&f.cache, "cache", "256MB", "memory for kept answers")
	flags.StringArrayVar(&f.counts, "count", nil, "how much an event of a type counts, such as view=0.2; above 0 the item is taken for chosen (default: like and purchase 1, view and hide 0); may be repeated")
	flags.StringArrayVar(&f.arms, "arm", nil, "side of an A/B test, NAME=RUN:SHARE with the share of the users in percent, such as new=hybrid-77c0:10; each user stays in one; may be repeated")
	flags.Float64Var(&f.rate, "rate", 0, "most requests a second of one API key, twice as many in a burst (default: any number)")
	flags.StringVar(&f.log, "log", "", "a line a request on standard error: text or json (default: failures only)")
	flags.BoolVar(&f.open, "open", false, "let everybody who reaches the server do everything: other machines may reach it without keys")
	flags.DurationVar(&f.every, "retrain-every", 0, "run 'mllmrec retrain' so often, such as 24h, in a process of its own (default: never)")
	flags.BoolVar(&f.stay, "stay", false, "do not make "+servedModel+" where the workspace has no run")
	return cmd
}

// check finds options that contradict each other before anything is opened.
func (f *serveFlags) check() (weights map[live.EventType]float64, cache int64, err error) {
	if (f.cert == "") != (f.key == "") {
		return nil, 0, usererr.New("Give both, or neither.", "--tls-cert and --tls-key belong together")
	}
	if f.rate < 0 {
		return nil, 0, usererr.New("", "--rate %g is below 0", f.rate)
	}
	if f.every < 0 || f.every > 0 && f.every < time.Minute {
		return nil, 0, usererr.New("Give a minute at least.", "--retrain-every %s is too often", f.every)
	}
	if f.log != "" && f.log != "text" && f.log != "json" {
		return nil, 0, usererr.New("Use text or json.", "--log %q is no form", f.log)
	}
	if cache, err = bytesOf(f.cache); err != nil {
		return nil, 0, usererr.New("Write it as 256MB.", "--cache %q is no size", f.cache)
	}
	weights, err = weightsOf(f.counts)
	return weights, cache, err
}

// weightsOf reads what events of a type count.
func weightsOf(counts []string) (map[live.EventType]float64, error) {
	weights := shopfront.DefaultWeights()
	for _, text := range counts {
		name, value, _ := strings.Cut(text, "=")
		w, err := strconv.ParseFloat(value, 64)
		if !slices.Contains(live.EventTypes, live.EventType(name)) || err != nil || w < 0 || w > 1e6 {
			return nil, usererr.New("Write it as view=0.2; types are view, like, purchase and hide.", "--count %q is not of that form", text)
		}
		weights[live.EventType(name)] = w
	}
	return weights, nil
}

func (a *app) serve(ctx context.Context, dir string, f *serveFlags) error {
	weights, cache, err := f.check()
	if err != nil {
		return err
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return err
	}
	first, err := a.quickRun(ctx, ws)
	if err != nil {
		return err
	}
	if f.run == "best" {
		if f.run, err = bestRun(ws); err != nil {
			return err
		}
	}
	return withLive(ctx, ws, f.store, func(store *live.Store) error {
		keys, err := store.Keys(ctx)
		if err != nil {
			return err
		}
		if !f.open && !host.Loopback(f.addr) && !slices.ContainsFunc(keys, func(k live.Key) bool { return k.Revoked.IsZero() }) {
			return usererr.New("Make keys with 'mllmrec key add', listen at 127.0.0.1, or say --open.", "other machines can reach %s, and there are no API keys: whoever does could do everything", f.addr)
		}
		if err := f.record(ctx, ws, store); err != nil {
			return err
		}
		log := a.logger(f.log)
		shop, err := shopfront.Open(ctx, store, f.run, shopfront.Options{Dir: dir, Writer: f.writer, Locate: func(run string) (string, string, error) { return retraining.Locate(dir, run) }, Weights: weights, Cache: cache,
			Note: func(format string, args ...any) { log.Warn(fmt.Sprintf(format, args...)) }})
		if err != nil {
			return err
		}
		defer shop.Close()
		s := &server{app: a, dir: dir, flags: f, store: store, shop: shop, log: log}
		return s.serve(ctx, first && !f.stay)
	})
}

// record notes the arms of a test as what is served, for all replicas, if they are not yet.
func (f *serveFlags) record(ctx context.Context, ws *workspace.Workspace, store *live.Store) error {
	if len(f.arms) == 0 {
		return nil
	}
	if f.run != "" {
		return usererr.New("Leave one out.", "--run has no effect with --arm")
	}
	state := live.ServingState{Why: "arms of an A/B test"}
	for _, text := range f.arms {
		name, rest, _ := strings.Cut(text, "=")
		at := strings.LastIndexByte(rest, ':')
		if name == "" || at < 1 {
			return usererr.New("Write it as new=hybrid-77c0:10.", "--arm %q is not of the form NAME=RUN:SHARE", text)
		}
		share, err := strconv.Atoi(rest[at+1:])
		if err != nil {
			return usererr.New("Write it as new=hybrid-77c0:10.", "--arm %q: the share is no number", text)
		}
		if err := findRun(ws, rest[:at]); err != nil {
			return err
		}
		state.Arms = append(state.Arms, live.Arm{Name: name, Run: rest[:at], Share: share})
	}
	state.Run = state.Arms[0].Run
	now, there, err := store.Serving(ctx)
	if err != nil || there && slices.Equal(now.Arms, state.Arms) {
		return err
	}
	_, err = store.Serve(ctx, state, live.AnyVersion)
	return err
}

// findRun looks for a run of the shop or of one of its generations.
func findRun(shop *workspace.Workspace, run string) error {
	dir, id, err := retraining.Locate(shop.Dir(), run)
	if err != nil {
		return err
	}
	ws := shop
	if dir != shop.Dir() {
		if ws, err = workspace.Open(dir); err != nil {
			return err
		}
	}
	_, _, err = training.Find(ws, id)
	return err
}

// logger writes to standard error: requests where they are asked for, else what went wrong.
func (a *app) logger(form string) *slog.Logger {
	level := slog.LevelWarn
	if form != "" {
		level = slog.LevelInfo
	}
	if form == "json" || a.json {
		return slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// quickRun makes the first run of a workspace without any.
func (a *app) quickRun(ctx context.Context, ws *workspace.Workspace) (made bool, err error) {
	if len(ws.Addresses(workspace.KindRun)) > 0 {
		return false, nil
	}
	s, release, err := a.openForWriting(ws.Dir())
	if err != nil {
		return false, err
	}
	defer release()
	opt := build.New()
	opt.Train.Model = quickModel
	_, err = build.Run(ctx, s, opt, false)
	return err == nil, err
}

// bestRun is the run with the best validation metric; a leaky one is no choice.
func bestRun(ws *workspace.Workspace) (string, error) {
	runs, err := training.List(ws)
	if err != nil {
		return "", err
	}
	best := training.Summary{}
	for _, r := range runs {
		if r.Finished && !r.Leaky && (best.ID == "" || r.Valid["recall@20"] > best.Valid["recall@20"]) {
			best = r
		}
	}
	if best.ID == "" {
		return "", usererr.New("Name it by its id.", "workspace %s has no finished run that is not leaky", ws.Dir())
	}
	return best.ID, nil
}

// server is a shop that is being served.
type server struct {
	app      *app
	dir      string
	flags    *serveFlags
	store    *live.Store
	shop     *shopfront.Shop
	log      *slog.Logger
	building atomic.Pointer[string]
	listing  sync.Mutex
	list     []client.Run // as of listed
	listed   time.Time
}

func (s *server) serve(ctx context.Context, buildBetter bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, _ := version()
	up := api.New(s.shop, api.Options{Version: v, Open: s.flags.open || host.Loopback(s.flags.addr), Local: host.Loopback(s.flags.addr) && !s.flags.open, Rate: s.flags.rate, Log: s.log, Runs: s.runs, Building: s.underWay})
	if err := pages.Add(up, s.shop, pages.Options{Dir: s.dir, Secure: s.flags.cert != ""}); err != nil {
		return err
	}
	sites := []host.Site{{Addr: s.flags.addr, Handler: up.Handler(), Cert: s.flags.cert, Key: s.flags.key}}
	if s.flags.admin != "" {
		sites = append(sites, host.Site{Addr: s.flags.admin, Handler: up.Admin()})
	}
	listeners, err := host.Listen(sites)
	if err != nil {
		return err
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() {
		up.Gate().Record(ctx, time.Minute, func(err error) { s.log.Warn("the use of keys is not recorded", "error", err) })
	})
	if buildBetter {
		beside.Go(func() { s.buildBetter(ctx) })
	}
	if s.flags.every > 0 {
		beside.Go(func() { s.retrain(ctx) })
	}
	if err := s.say(listeners[0].Addr().String()); err != nil {
		return err
	}
	return host.Serve(ctx, sites, listeners, s.log)
}

// say tells where the server listens and what it serves.
func (s *server) say(addr string) error {
	scheme := "http"
	if s.flags.cert != "" {
		scheme = "https"
	}
	arms := s.shop.Arms()
	run := arms[0].Engine.Run
	if s.app.json {
		return s.app.emit(map[string]any{"address": scheme + "://" + addr, "run": run.ID, "model": run.Model, "leaky": run.Leaky, "keys": s.shop.Keyed()})
	}
	fmt.Fprintf(s.app.stdout, "%s://%s serves run %s of model %s; API at /docs, Ctrl-C stops\n", scheme, addr, run.ID, run.Model)
	if run.Leaky {
		fmt.Fprintln(s.app.stdout, "leaky: this run was made with test interactions in sight; its lists are a reproduction, nothing to rely on")
	}
	if !s.shop.Keyed() {
		fmt.Fprintln(s.app.stdout, "no API keys: whoever reaches this address may do everything")
	}
	return nil
}

func (s *server) underWay() string {
	if what := s.building.Load(); what != nil {
		return *what
	}
	return ""
}

// fresh is how old a list of runs may be: every page shows it, and a shop of many generations has many.
const fresh = 2 * time.Second

// runs lists the finished runs of the shop, those of its generations too.
func (s *server) runs() (runs []client.Run, err error) {
	s.listing.Lock()
	defer s.listing.Unlock()
	if time.Since(s.listed) < fresh {
		return slices.Clone(s.list), nil
	}
	err = retraining.EachWorkspace(s.dir, func(generation string, ws *workspace.Workspace) error {
		list, err := training.List(ws)
		for _, r := range list {
			if r.Finished {
				runs = append(runs, client.Run{ID: retraining.Name(generation, r.ID), Model: r.Model, Seed: r.Seed, Leaky: r.Leaky, Valid: r.Valid})
			}
		}
		return err
	})
	if err == nil {
		s.list, s.listed = slices.Clone(runs), time.Now()
	}
	return runs, err
}

// buildBetter makes the model to serve in a process of its own, which takes the processors only when nobody asks, and swaps to it.
func (s *server) buildBetter(ctx context.Context) {
	what := servedModel
	s.building.Store(&what)
	defer s.building.Store(nil)
	began := time.Now()
	if err := s.runBeside(ctx, "run", s.dir, "--model", servedModel, "--mllm", "offline", "--quiet", "--json"); err != nil {
		if ctx.Err() == nil {
			s.log.Error("cannot make "+servedModel+"; "+quickModel+" is served on", "error", err)
		}
		return
	}
	s.listing.Lock()
	s.listed = time.Time{} // one was made just now
	s.listing.Unlock()
	runs, err := s.runs()
	if err != nil {
		s.log.Error("cannot find the run that was made", "error", err)
		return
	}
	for n := len(runs) - 1; n >= 0; n-- {
		if runs[n].Model == servedModel {
			if _, err := s.store.Serve(ctx, live.ServingState{Run: runs[n].ID, Why: "the first run of " + servedModel + ", in the place of " + quickModel}, live.AnyVersion); err != nil {
				s.log.Error("cannot swap to "+servedModel, "error", err)
			}
			s.log.Info("made", "model", servedModel, "run", runs[n].ID, "took", time.Since(began))
			return
		}
	}
}

// retrain takes feedback in, again and again. The swap reaches this server through the live state.
func (s *server) retrain(ctx context.Context) {
	args := []string{"retrain", s.dir, "--quiet", "--json"}
	if s.flags.store != "" {
		args = append(args, "--store", s.flags.store)
	}
	for _, c := range s.flags.counts {
		args = append(args, "--count", c)
	}
	tick := time.NewTicker(s.flags.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		what := "the next generation"
		s.building.Store(&what)
		if err := s.runBeside(ctx, args...); err != nil && ctx.Err() == nil {
			s.log.Error("cannot retrain; what is served goes on", "error", err)
		}
		s.building.Store(nil)
	}
}

// runBeside runs a command of this program in a process of its own.
func (s *server) runBeside(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "mllmrec" // by this name, whatever the file is called
	var said strings.Builder
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it keeps what it has and ends
	cmd.WaitDelay = host.Grace
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", args[0], err)
	}
	lowerPriority(cmd)
	if err := cmd.Wait(); err != nil {
		return errors.Join(err, errors.New(strings.TrimSpace(said.String())))
	}
	return nil
}
