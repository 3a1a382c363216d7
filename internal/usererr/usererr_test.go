package usererr

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func flag(name string) string { return "--" + name }

func TestSpellWritesOptionsAsTheSurfaceDoes(t *testing.T) {
	dim := New(Option("encoder").String()+" lsa reads it.", "%s has no effect with %s %s", Option("dim"), Option("encoder"), "minilm")
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"itself", dim, "--dim has no effect with --encoder minilm"},
		{"wrapped by others", fmt.Errorf("run: %w", dim), "run: --dim has no effect with --encoder minilm"},
		{"formatted into a message", New("", "config a.yaml: %v", dim), "config a.yaml: --dim has no effect with --encoder minilm"},
		{"joined", errors.Join(fs.ErrClosed, dim, New("", "give %s", Option("store"))), "file already closed\n--dim has no effect with --encoder minilm\ngive --store"},
		{"what a user typed", New("", `%s: no file named %s`, Option("prompts"), `option "dim"`), `--prompts: no file named option "dim"`},
		{"none", fs.ErrClosed, "file already closed"},
		{"nil", nil, ""},
	} {
		if got := Spell(c.err, flag); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got, want := dim.Error(), `option "dim" has no effect with option "encoder" minilm`; got != want {
		t.Errorf("unspelled: %q, want %q", got, want)
	}
	if hint, ok := SpellHint(fmt.Errorf("run: %w", dim), flag); hint != "--encoder lsa reads it." || !ok {
		t.Errorf("hint %q, %v", hint, ok)
	}
}

func TestKindStageAndHintComeFromTheOutermostThatStatesThem(t *testing.T) {
	notReady := NotReady("graph", "Build it.", "no graph")
	for _, c := range []struct {
		name  string
		err   error
		kind  Kind
		stage string
		hint  string
		mine  bool
	}{
		{"plain", New("Mend it.", "wrong"), KindMistake, "", "Mend it.", true},
		{"stage", notReady, KindNotReady, "graph", "Build it.", true},
		{"wrapped without a kind", Wrap(fmt.Errorf("train: %w", notReady), ""), KindNotReady, "graph", "Build it.", true},
		{"wrapped with a hint", Wrap(notReady, "Start over."), KindNotReady, "graph", "Start over.", true},
		{"wrapped as another", WrapAs(KindDamaged, Of(KindUnknown, "", "no user 7"), "Import anew."), KindDamaged, "", "Import anew.", true},
		{"joined", errors.Join(fs.ErrClosed, Of(KindLocked, "Wait.", "locked")), KindLocked, "", "Wait.", true},
		{"a failure", fs.ErrClosed, "", "", "", false},
	} {
		hint, mine := Hint(c.err)
		if KindOf(c.err) != c.kind || StageOf(c.err) != c.stage || hint != c.hint || mine != c.mine {
			t.Errorf("%s: kind %q, stage %q, hint %q, %v", c.name, KindOf(c.err), StageOf(c.err), hint, mine)
		}
	}
	if Wrap(nil, "x") != nil || WrapAs(KindLocked, nil, "x") != nil {
		t.Error("wrapping no error made one")
	}
	if !errors.Is(WrapAs(KindDamaged, fs.ErrClosed, ""), fs.ErrClosed) {
		t.Error("the wrapped error is lost")
	}
}
