package option

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

type variant string

type encode struct {
	_         struct{} `group:"Encoder"`
	Encoder   string   `option:"encoder" doc:"text encoder" choices:"lsa,minilm,openai,tei" default:"lsa"`
	Dim       int      `option:"dim" doc:"dimensions of a vector" default:"384" min:"1" max:"4096" if:"encoder=lsa" json:"dim"`
	Model     string   `option:"encoder-model" old:"model" doc:"name of the model" if:"encoder!=lsa" json:"model,omitempty"`
	Prefix    *string  `option:"prefix" doc:"text before each item" if:"encoder=minilm|tei"`
	Cached    int      // no option
	Transport struct {
		URLs    []string      `option:"encoder-url" old:"base-url" doc:"address of the server"`
		Timeout time.Duration `option:"encoder-timeout" doc:"time limit of a request" default:"5m" min:"1s" runs:"process"`
		Retry   bool          `option:"retry" doc:"repetition of failed requests" if:"encoder-url" runs:"process"`
	} `group:"Servers" if:"encoder=openai|tei"`
}

type graph struct {
	Variant   variant `option:"graph" doc:"whose graph" choices:"reference,paper" default:"reference"`
	Denoise   bool    `option:"denoise" doc:"removal of weak edges" default:"true" group:"Graph"`
	Threshold float32 `option:"threshold" doc:"lowest cosine that is kept" default:"0.7" if:"denoise; graph=reference"`
	Strict    bool    `option:"strict" doc:"refusal of empty rows" if:"!denoise"`
	Seed      uint64  `option:"graph-seed" doc:"random seed" json:"seed,omitempty"`
}

func mustSet(t *testing.T, s *Set, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := s.Set(pairs[i], pairs[i+1]); err != nil {
			t.Fatalf("set %s to %q: %v", pairs[i], pairs[i+1], err)
		}
	}
}

func defaultSet() (*encode, *graph, *Set) {
	e, g := Default[encode](), Default[graph]()
	return &e, &g, Of(&e, &g)
}

func TestTagsDescribeOptionsInOrder(t *testing.T) {
	_, _, s := defaultSet()
	want := []string{"encoder", "dim", "encoder-model", "prefix", "encoder-url", "encoder-timeout", "retry", "graph", "denoise", "threshold", "strict", "graph-seed"}
	if got := s.Names(); !slices.Equal(got, want) {
		t.Errorf("names %v", got)
	}
	if got := s.InGroup("Servers"); !slices.Equal(got, []string{"encoder-url", "encoder-timeout", "retry"}) {
		t.Errorf("servers: %v", got)
	}
	if got := s.InGroup("Encoder"); !slices.Equal(got, []string{"encoder", "dim", "encoder-model", "prefix"}) {
		t.Errorf("encoder: %v", got)
	}
	o, ok := s.Lookup("model")
	if !ok || o.Name != "encoder-model" {
		t.Errorf("old name: %v, %v", o, ok)
	}
	if o, _ = s.Lookup("encoder-timeout"); !o.Process || o.Kind != Duration || o.Default != "5m" || o.Group != "Servers" || o.Doc != "time limit of a request" {
		t.Errorf("encoder-timeout: %+v", o)
	}
	if o, _ = s.Lookup("threshold"); o.Kind != Float || o.Text() != "0.7" || o.Group != "" {
		t.Errorf("threshold: %+v", o)
	}
	if _, ok := s.Lookup("cached"); ok {
		t.Error("a field without the tag is an option")
	}
}

func TestDefaultsLeaveWhatIsSetAlone(t *testing.T) {
	e := encode{Dim: 64}
	s := Of(&e)
	mustSet(t, s, "encoder-timeout", "90s")
	s.Defaults()
	if e.Encoder != "lsa" || e.Dim != 64 || e.Transport.Timeout != 90*time.Second {
		t.Errorf("%+v", e)
	}
	var g graph
	s = Of(&g)
	mustSet(t, s, "denoise", "false", "threshold", "0")
	s.Defaults()
	if g.Denoise || g.Threshold != 0 || g.Variant != "reference" {
		t.Errorf("a given zero value was replaced: %+v", g)
	}
}

func TestSetReadsEveryKind(t *testing.T) {
	e, g, s := defaultSet()
	mustSet(t, s, "encoder", "tei", "base-url", "http://a,b", "encoder-url", "http://c", "prefix", "", "retry", "true",
		"graph", "paper", "threshold", "0.25", "graph-seed", "18446744073709551615")
	if !slices.Equal(e.Transport.URLs, []string{"http://a,b", "http://c"}) || e.Prefix == nil || *e.Prefix != "" || !e.Transport.Retry {
		t.Errorf("%+v", e)
	}
	if g.Variant != "paper" || g.Threshold != 0.25 || g.Seed != 1<<64-1 {
		t.Errorf("%+v", g)
	}
	if !s.Given("encoder-url") || !s.Given("prefix") || s.Given("dim") {
		t.Error("given is wrong")
	}
	if got := s.GivenNames(); !slices.Equal(got, []string{"encoder", "prefix", "encoder-url", "retry", "graph", "threshold", "graph-seed"}) {
		t.Errorf("given: %v", got)
	}
}

func TestSetRefusesWrongValues(t *testing.T) {
	_, _, s := defaultSet()
	for _, c := range []struct{ name, text, want string }{
		{"encoder", "bert", `--encoder must be lsa, minilm, openai or tei, not "bert"`},
		{"encoder", "", `--encoder must be lsa, minilm, openai or tei, not ""`},
		{"dim", "0", `--dim must be at least 1, not 0`},
		{"dim", "5000", `--dim must be at most 4096, not 5000`},
		{"dim", "3.5", `--dim must be a whole number, not "3.5"`},
		{"dim", "99999999999999999999", `--dim must be a whole number, not "99999999999999999999"`},
		{"graph-seed", "-1", `--graph-seed must be a whole number that is not negative, not "-1"`},
		{"threshold", "NaN", `--threshold must be a number, not "NaN"`},
		{"threshold", "1e300", `--threshold must be a number, not "1e300"`},
		{"denoise", "maybe", `--denoise must be true or false, not "maybe"`},
		{"encoder-timeout", "5", `--encoder-timeout must be a duration such as 90s, 5m or 1h30m, not "5"`},
		{"encoder-timeout", "5ms", `--encoder-timeout must be at least 1s, not 5ms`},
		{"model-dir", "x", `there is no --model-dir`},
	} {
		err := s.Set(c.name, c.text)
		if got := usererr.Spell(err, flagName); got != c.want {
			t.Errorf("%s=%q: %q, want %q", c.name, c.text, got, c.want)
		}
		if usererr.KindOf(err) != usererr.KindMistake {
			t.Errorf("%s=%q is no mistake of the user's", c.name, c.text)
		}
	}
	if got := s.GivenNames(); got != nil {
		t.Errorf("refused values count as given: %v", got)
	}
}

func flagName(name string) string { return "--" + name }

func TestCheckRefusesOptionsWithoutEffect(t *testing.T) {
	for _, c := range []struct{ set, want, hint string }{
		{"encoder=minilm dim=128", "--dim has no effect with --encoder minilm", "It belongs to --encoder lsa."},
		{"dim=384 encoder=tei", "--dim has no effect with --encoder tei", "It belongs to --encoder lsa."}, // the default, but given
		{"model=x", "--encoder-model has no effect with --encoder lsa", "It belongs to --encoder minilm, openai or tei."},
		{"prefix=", "--prefix has no effect with --encoder lsa", "It belongs to --encoder minilm or tei."},
		{"encoder-timeout=5m", "--encoder-timeout has no effect with --encoder lsa", "It belongs to --encoder openai or tei."},
		{"retry=true", "--retry has no effect with --encoder lsa", "It belongs to --encoder openai or tei."},
		{"encoder=tei retry=true", "--retry has no effect without --encoder-url", "Give --encoder-url too, or leave out --retry."},
		{"denoise=false threshold=0.5", "--threshold has no effect with --denoise=false", "Leave out one of the two."},
		{"graph=paper threshold=0.5", "--threshold has no effect with --graph paper", "It belongs to --graph reference."},
		{"strict=true", "--strict has no effect with --denoise", "Leave out one of the two."},
		{"encoder=tei encoder-url=http://a retry=true model=m prefix=p encoder-timeout=1m", "", ""},
		{"denoise=false strict=true", "", ""},
		{"", "", ""},
	} {
		_, _, s := defaultSet()
		for pair := range strings.FieldsSeq(c.set) {
			name, text, _ := strings.Cut(pair, "=")
			mustSet(t, s, name, text)
		}
		err := s.Check()
		hint, _ := usererr.SpellHint(err, flagName)
		if got := usererr.Spell(err, flagName); got != c.want || hint != c.hint {
			t.Errorf("%s: %q, %q; want %q, %q", c.set, got, hint, c.want, c.hint)
		}
	}
}

func TestCheckSeesWhatAProgramSet(t *testing.T) {
	e := Default[encode]()
	e.Encoder = "minilm"
	if err := Of(&e).Check(); err != nil {
		t.Errorf("a default without effect is refused: %v", err)
	}
	e.Dim = 128
	if err := Of(&e).Check(); err == nil {
		t.Error("a dimension without effect is accepted")
	}
	e = encode{Encoder: "lsa", Dim: -3}
	if err := Of(&e).Check(); err == nil || err.Error() != `option "dim" must be at least 1, not -3` {
		t.Errorf("a negative dimension: %v", err)
	}
	e = encode{Encoder: "bert"}
	if err := Of(&e).Check(); err == nil {
		t.Error("an unknown encoder is accepted")
	}
}

func TestForbidTakesTheEffect(t *testing.T) {
	e, _, s := defaultSet()
	mustSet(t, s, "encoder", "tei", "encoder-url", "http://a", "graph", "paper")
	s.Forbid(s.Names(e), "Leave it out.", "in a workspace with imported vectors")
	err := s.Check()
	if got, want := usererr.Spell(err, flagName), "--encoder has no effect in a workspace with imported vectors"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := s.Record(); !reflect.DeepEqual(got, map[string]string{"graph": "paper", "denoise": "true"}) {
		t.Errorf("record %v", got)
	}
	_, _, s = defaultSet()
	mustSet(t, s, "encoder", "tei", "encoder-url", "http://a", "retry", "true")
	s.Forbid([]string{"encoder-url"}, "", "with %s", usererr.Option("item"))
	if got, want := usererr.Spell(s.Check(), flagName), "--encoder-url has no effect with --item"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if s.must("retry").effect("retry") == nil || s.must("encoder-timeout").effect("encoder-timeout") != nil {
		t.Error("what depends on a forbidden option keeps its effect, or another lost it")
	}
}

// The text of records is hashed into addresses: a change here makes every result stale.
func TestRecordIsGolden(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"", `{"denoise":"true","dim":"384","encoder":"lsa","graph":"reference","threshold":"0.7"}`},
		{"encoder=tei encoder-url=http://a encoder-url=b,c encoder-timeout=1h retry=true prefix= graph-seed=7 denoise=false",
			`{"denoise":"false","encoder":"tei","encoder-url":"[\"http://a\",\"b,c\"]","graph":"reference","prefix":"","seed":"7","strict":"false"}`},
		{"encoder=minilm model=e5 threshold=0.1", `{"denoise":"true","encoder":"minilm","graph":"reference","model":"e5","threshold":"0.1"}`},
		{"encoder=openai", `{"denoise":"true","encoder":"openai","encoder-url":"[]","graph":"reference","threshold":"0.7"}`},
	} {
		e, g, s := defaultSet()
		for pair := range strings.FieldsSeq(c.set) {
			name, text, _ := strings.Cut(pair, "=")
			mustSet(t, s, name, text)
		}
		raw, err := json.Marshal(s.Record())
		if err != nil || string(raw) != c.want {
			t.Errorf("%s: %s, want %s", c.set, raw, c.want)
		}
		if fresh := Of(e, g).Record(); !reflect.DeepEqual(fresh, s.Record()) {
			t.Errorf("%s: the record depends on how the values came about: %v", c.set, fresh)
		}
		loadedE, loadedG := Default[encode](), Default[graph]()
		again := Of(&loadedE, &loadedG)
		if err := again.Load(s.Record()); err != nil {
			t.Errorf("%s: %v", c.set, err)
		}
		if !reflect.DeepEqual(again.Record(), s.Record()) {
			t.Errorf("%s: loaded %v, want %v", c.set, again.Record(), s.Record())
		}
		if again.GivenNames() != nil {
			t.Errorf("%s: loaded values count as given", c.set)
		}
	}
	e, g, s := defaultSet()
	if got := s.Record(g); len(got) != 3 {
		t.Errorf("the graph's record: %v", got)
	}
	if got := s.Record(e); len(got) != 2 {
		t.Errorf("the encoder's record: %v", got)
	}
}

func TestLoadZeroesWhatARecordLeavesOut(t *testing.T) {
	type options struct {
		On    bool    `option:"on" doc:"switch" default:"true" json:"on,omitempty"`
		Name  *string `option:"name" doc:"name"`
		Added int     `option:"added" doc:"number" default:"3"`
	}
	o := Default[options]()
	o.Name = new("x")
	if err := Of(&o).Load(map[string]string{}); err != nil {
		t.Fatal(err)
	}
	if o.On || o.Name != nil || o.Added != 3 {
		t.Errorf("%+v", o)
	}
}

func TestLoadRefusesAForeignRecord(t *testing.T) {
	for name, record := range map[string]map[string]string{
		"unknown name": {"encoder": "lsa", "colour": "red"},
		"process":      {"encoder-timeout": "5m"},
		"number":       {"dim": "many"},
		"list":         {"encoder-url": "http://a"},
	} {
		_, _, s := defaultSet()
		if err := s.Load(record); usererr.KindOf(err) != usererr.KindDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCopyGivenChangesNothingElse(t *testing.T) {
	_, g, recorded := defaultSet()
	if err := recorded.Load(map[string]string{"encoder": "tei", "graph": "paper", "denoise": "true"}); err != nil {
		t.Fatal(err)
	}
	typed := Default[graph]()
	s := Of(&typed)
	mustSet(t, s, "denoise", "false")
	s.CopyGiven(recorded)
	if g.Denoise || g.Variant != "paper" || !recorded.Given("denoise") {
		t.Errorf("%+v", g)
	}
}

func TestSetDefaultIsNotGiven(t *testing.T) {
	e, _, s := defaultSet()
	s.SetDefault("dim", "64")
	mustSet(t, s, "encoder", "minilm")
	if err := s.Check(); err != nil || e.Dim != 64 {
		t.Errorf("%d, %v", e.Dim, err)
	}
	s.SetDefault("encoder", "tei")
	if e.Encoder != "minilm" {
		t.Error("a given value was replaced")
	}
}

func TestPresentNamesWinOverOldOnes(t *testing.T) {
	type train struct {
		Model string `option:"model" doc:"recommender"`
	}
	var e encode
	var tr train
	s := Of(&e, &tr)
	mustSet(t, s, "model", "bpr")
	if tr.Model != "bpr" || e.Model != "" {
		t.Errorf("%+v %+v", tr, e)
	}
	if o, _ := s.Lookup("encoder-model"); len(o.Old) != 0 {
		t.Errorf("old names %v", o.Old)
	}
	if o, _ := Of(&e).Lookup("encoder-model"); !slices.Equal(o.Old, []string{"model"}) {
		t.Errorf("alone: old names %v", o.Old)
	}
}

func TestListsDoNotShareMemory(t *testing.T) {
	a := encode{Encoder: "tei"}
	a.Transport.URLs = append(make([]string, 0, 4), "x")
	b := a
	mustSet(t, Of(&a), "encoder-url", "a")
	s := Of(&b)
	mustSet(t, s, "encoder-url", "b", "encoder-url", "c")
	if !slices.Equal(a.Transport.URLs, []string{"a"}) || !slices.Equal(b.Transport.URLs, []string{"b", "c"}) {
		t.Errorf("%v %v", a.Transport.URLs, b.Transport.URLs)
	}
}

func TestWhenIsAPhrase(t *testing.T) {
	_, _, s := defaultSet()
	for name, want := range map[string]string{
		"encoder":       "",
		"dim":           "with --encoder lsa",
		"encoder-model": "with --encoder minilm, openai or tei",
		"retry":         "with --encoder openai or tei and --encoder-url",
		"threshold":     "with --graph reference, without --denoise=false",
		"strict":        "without --denoise",
	} {
		o, _ := s.Lookup(name)
		if got := usererr.SpellText(o.When(), flagName); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestProgrammersMistakesPanic(t *testing.T) {
	for want, structs := range map[string][]any{
		"no pointer to a struct": {encode{}},
		`named "graph"`:          {&graph{}, &graph{}},
		"no such option": {&struct {
			A int `option:"a" doc:"d" if:"b"`
		}{}},
		"bad name": {&struct {
			A int `option:"A_b" doc:"d"`
		}{}},
		"no doc": {&struct {
			A int `option:"a"`
		}{}},
		"type []int": {&struct {
			A []int `option:"a" doc:"d"`
		}{}},
		"is not exported": {&struct {
			a int `option:"a" doc:"d"`
		}{}},
		"default": {&struct {
			A int `option:"a" doc:"d" default:"x"`
		}{}},
		"must be at least 2": {&struct {
			A int `option:"a" doc:"d" default:"1" min:"2"`
		}{}},
		"max of a string": {&struct {
			A string `option:"a" doc:"d" max:"2"`
		}{}},
		`runs "fast"`: {&struct {
			A int `option:"a" doc:"d" runs:"fast"`
		}{}},
		"has a part": {&struct {
			A int `option:"a" doc:"d" json:"-"`
		}{}},
		"is no option": {&struct {
			A int `doc:"d"`
		}{}},
		"bad old name": {&struct {
			A int `option:"a" doc:"d" old:"B"`
		}{}},
		`must be x or y`: {&struct {
			A string `option:"a" doc:"d" choices:"x,y"`
			B int    `option:"b" doc:"d" if:"a=z"`
		}{}},
		"write a or !a": {&struct {
			A bool `option:"a" doc:"d"`
			B int  `option:"b" doc:"d" if:"a=true"`
		}{}},
		"depends on itself": {&struct {
			A int `option:"a" doc:"d" if:"b"`
			B int `option:"b" doc:"d" if:"a"`
		}{}},
		"recorded as": {&struct {
			A int `option:"x" doc:"d"`
			B int `option:"b" doc:"d" json:"x"`
		}{}},
	} {
		message := func() (got string) {
			defer func() {
				if r := recover(); r != nil {
					got, _ = r.(string)
				}
			}()
			Of(structs...).Record()
			return ""
		}()
		if !strings.Contains(message, want) {
			t.Errorf("want a panic about %q, got %q", want, message)
		}
	}
	// Two that exclude each other are no cycle.
	Of(&struct {
		A int `option:"a" doc:"d" if:"!b"`
		B int `option:"b" doc:"d" if:"!a"`
	}{})
}

func FuzzParseConditions(f *testing.F) {
	for _, tag := range []string{"", "a", "!a", "a=b|c", "a!=b", "a;!b; c=1", "a=", "=", "!=x", "a==b", "a;;b", "!a=b", "a!b=c"} {
		f.Add(tag)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		all, err := parseConditions(tag)
		if err != nil {
			return
		}
		var terms []string
		for _, c := range all {
			if !nameForm.MatchString(c.name) {
				t.Fatalf("%q: accepted the name %q", tag, c.name)
			}
			terms = append(terms, c.String())
		}
		again, err := parseConditions(strings.Join(terms, ";"))
		if err != nil || !reflect.DeepEqual(again, all) {
			t.Fatalf("%q: %v is read again as %v, %v", tag, all, again, err)
		}
	})
}

func TestParseConditionsRefuses(t *testing.T) {
	for _, tag := range []string{";", "a;", "a=", "a=b|", "!", "!a=b", "a b", "A", "a==b", "a= b", "a!"} {
		if all, err := parseConditions(tag); err == nil {
			t.Errorf("%q is read as %v", tag, all)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("dim", "12")
	f.Add("encoder-timeout", "1h3m")
	f.Add("threshold", "1e-3")
	f.Add("encoder-url", "a,b")
	f.Fuzz(func(t *testing.T, name, text string) {
		_, _, s := defaultSet()
		err := s.Set(name, text)
		if err != nil {
			var mine *usererr.Error
			if !errors.As(err, &mine) {
				t.Fatalf("%s=%q: %v is not the user's", name, text, err)
			}
			return
		}
		first := s.Text(name)
		_, _, again := defaultSet()
		if err := again.Set(name, first); err != nil || again.Text(name) != first {
			t.Fatalf("%s=%q: its text %q is read as %q, %v", name, text, first, again.Text(name), err)
		}
	})
}

// A configuration serves many calls: what has no effect in this one is taken back, and
// said. A value that is not allowed stays an error.
func TestConfiguredOptionsWithoutEffectAreTakenBack(t *testing.T) {
	e, g, s := defaultSet()
	mustSet(t, s, "encoder-url", "http://a")
	mustSet(t, s, "threshold", "0.1")
	s.Configure("encoder-url")
	s.Configure("threshold")
	mustSet(t, s, "encoder", "lsa")
	mustSet(t, s, "denoise", "false")
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, err := range s.PassedOver() {
		said = append(said, usererr.Spell(err, flagName))
	}
	if want := []string{"--encoder-url has no effect with --encoder lsa", "--threshold has no effect with --denoise=false"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	if s.Given("threshold") || s.Text("threshold") != "0.7" || s.Text("encoder-url") != "" {
		t.Errorf("left: %+v %+v", e, g)
	}
	if err := Of(e, g).Check(); err != nil {
		t.Errorf("the structs still hold what was taken back: %v", err)
	}
	_, _, s = defaultSet()
	mustSet(t, s, "encoder", "lsa")
	mustSet(t, s, "encoder-url", "http://a")
	if err := s.Check(); err == nil {
		t.Error("what the user of this call gave was passed over")
	}
}
