package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// retryKeeps are the options that decide the answers and so stay as they were; all others
// may be given to a retry.
var retryKeeps = []string{"mllm", "mllm-model", "prompts", "words", "max-tokens", "script", "temperature", "model-seed", "num-ctx", "image-long-side"}

func (a *app) retryCmd(name string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry WS",
		Short: "Ask again about what failed, with the options of the last run",
		Long: `Retry goes through a finished stage again, with the options that the last run had but for
those given here, and asks about everything that has no good answer: quarantined answers
with a changed seed, pictures that could not be read, what a --limit left over. Limits of
cost and time, --store and --workers hold for one run only: give them again.

What decides an answer, such as the model or the prompts, cannot be changed here: that
would ask about everything. Run the stage's command again for it.`,
		Args: cobra.ExactArgs(1),
	}
	r := &retry{name: name}
	structs := []any{&r.writer}
	if name == workspace.StageDescribe {
		structs = append(structs, &r.pictures)
	}
	given := option.Of(structs...)
	limitFlag(cmd, &r.limit)
	bind(cmd, given, retryKeeps...)
	r.given = given
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if r.limit < 0 {
			return a.checkAsking(given, r.limit)
		}
		s, release, err := a.openForWriting(args[0])
		if err != nil {
			return err
		}
		defer release()
		if err := r.run(cmd.Context(), s); err != nil {
			return err
		}
		return a.printStage(s.WS, name)
	}
	return cmd
}

// retry is one call of the command.
type retry struct {
	name     string
	given    *option.Set
	writer   backend.Options
	pictures describing.Pictures
	limit    int
}

func (r *retry) run(ctx context.Context, s *stage.Session) error {
	kind := workspace.KindsOf(r.name)[0]
	_, last, ok := s.WS.Current(kind)
	if !ok {
		return stage.NotReady(s.WS, r.name)
	}
	st, err := r.stage(s, last)
	if err != nil {
		return err
	}
	e := stage.NewEngine(s, st)
	e.Force = true
	_, err = e.Make(ctx, kind)
	return err
}

// stage returns the stage with the options of its last run but for those given.
func (r *retry) stage(s *stage.Session, last workspace.Artefact) (stage.Stage, error) {
	s.Consent.Typed(append(r.writer.Grants(), r.pictures.Grants()...)...)
	if r.given.Given("api-key-env") {
		if err := r.keyForAgreed(s, last); err != nil {
			return nil, err
		}
	}
	if r.name == workspace.StageDescribe {
		opt, err := describing.Recorded(last)
		if err != nil {
			return nil, err
		}
		if err := r.change(last, &opt.Writer, &opt.Pictures); err != nil {
			return nil, err
		}
		if err := s.Consent.Allow("the record of the last run", append(opt.Writer.Grants(), opt.Pictures.Grants()...)...); err != nil {
			return nil, err
		}
		opt.Limit = r.limit
		return describing.New(opt)
	}
	opt, err := reasoning.Recorded(last)
	if err != nil {
		return nil, err
	}
	if err := r.change(last, &opt.Writer); err != nil {
		return nil, err
	}
	if err := s.Consent.Allow("the record of the last run", opt.Writer.Grants()...); err != nil {
		return nil, err
	}
	opt.Limit = r.limit
	return reasoning.New(opt)
}

// keyForAgreed lets a key variable that the user typed be used with the recorded servers
// that the user has agreed to before.
func (r *retry) keyForAgreed(s *stage.Session, last workspace.Artefact) error {
	var opt describing.Options // of either stage: both keep who wrote in the same place
	if _, err := asking.Recorded(last, &opt); err != nil {
		return err
	}
	for _, t := range connect.Targets(connect.Options{Kind: opt.Writer.MLLM, URLs: opt.Writer.Servers.BaseURLs, KeyEnv: opt.Writer.Servers.KeyEnv}) {
		missing, err := consent.Missing(s.WS.Dir(), consent.ServerGrant(t.URL, t.KeyEnv))
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			s.Consent.Typed(consent.ServerGrant(t.URL, r.writer.Servers.KeyEnv))
		}
	}
	return nil
}

// change sets the given options. Workers have limits of their own: what the last run had
// of them is nobody's wish for this one.
func (r *retry) change(last workspace.Artefact, w *backend.Options, others ...any) error {
	if r.writer.Shared.Workers {
		urls, key := w.Servers.BaseURLs, w.Servers.KeyEnv
		w.Servers = backend.Servers{BaseURLs: urls, KeyEnv: key}
	}
	set := option.Of(append([]any{w}, others...)...)
	r.given.CopyGiven(set)
	if err := set.Check(); err != nil {
		return err
	}
	if asking.InSharedLedger(last) && w.Shared.Store == "" {
		return usererr.New("Give the same --store again; or run the stage's command, which asks about all that this workspace's own ledger does not hold.",
			"the last run kept its answers in a shared ledger: without it, a retry would ask about everything")
	}
	return nil
}
