package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const smallVocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\n##a\nhello\n,\n!\n語\ne\n"

const smallJSON = `{
	"added_tokens": [{"id": 2, "content": "[CLS]", "normalized": false}, {"id": 3, "content": "[SEP]", "normalized": false},
		{"id": 9, "content": "New York", "normalized": true}, {"id": 10, "content": "[SEP]]", "normalized": false}],
	"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
	"pre_tokenizer": {"type": "BertPreTokenizer"},
	"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
	"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 8,
		"vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "##b": 5, "new": 6, "york": 7, "é": 8}}}`

func fromVocab(t testing.TB, lower bool) *Tokenizer {
	t.Helper()
	tok, err := parseVocab([]byte(smallVocab), config{LowerCase: new(lower)})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func fromJSON(t testing.TB, edits ...string) *Tokenizer {
	t.Helper()
	tok, err := parseJSON([]byte(strings.NewReplacer(edits...).Replace(smallJSON)), config{})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokens(t *testing.T) {
	for _, x := range []struct {
		tok  *Tokenizer
		text string
		want []int32
	}{
		{fromVocab(t, true), "", nil},
		{fromVocab(t, true), "UNaffable", []int32{5, 6, 7}},
		{fromVocab(t, true), "unaffablex un", []int32{1, 5}},
		{fromVocab(t, true), "hello,hello!", []int32{9, 10, 9, 11}},
		{fromVocab(t, true), "e語É語", []int32{13, 12, 13, 12}},
		{fromVocab(t, false), "Hello É hello", []int32{1, 1, 9}},
		{fromVocab(t, true), "hello[SEP]hello[CLS", []int32{9, 3, 9, 1, 1}},
		{fromJSON(t), "ab abb a b", []int32{4, 5, 4, 5, 5, 4, 1}},
		{fromJSON(t), "abbbbbbb abbbbbbbb", []int32{4, 5, 5, 5, 5, 5, 5, 5, 1}}, // 8 characters a word at most
		{fromJSON(t), "in NEW YORK new", []int32{1, 9, 6}},
		{fromJSON(t), "a[SEP]]a[SEP]", []int32{4, 10, 4, 3}}, // the longest added token
		{fromJSON(t, `"strip_accents": null`, `"strip_accents": false`), "É", []int32{8}},
		{fromJSON(t), "É", []int32{1}},
	} {
		if got := x.tok.Tokens(x.text); !slices.Equal(got, x.want) {
			t.Errorf("%q: %v, want %v", x.text, got, x.want)
		}
	}
}

func TestEncodeCutsBetweenTheSpecialTokens(t *testing.T) {
	tok := fromJSON(t)
	for limit, want := range map[int][]int32{0: {2, 4, 4, 4, 3}, 5: {2, 4, 4, 4, 3}, 4: {2, 4, 4, 3}, 2: {2, 3}, 1: {2, 3}} {
		if got := tok.Encode("a a a", limit); !slices.Equal(got, want) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	if tok.Size() != 11 {
		t.Errorf("size %d", tok.Size())
	}
}

func TestTemplateProcessing(t *testing.T) {
	template := `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
		{"SpecialToken": {"id": "[SEP]", "type_id": 0}}], "special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3, 3]}}}`
	plain := `{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}`
	if got := fromJSON(t, plain, template).Encode("a", 0); !slices.Equal(got, []int32{2, 4, 3, 3}) {
		t.Errorf("%v", got)
	}
	for _, bad := range []string{
		strings.Replace(template, `"type_id": 0`, `"type_id": 1`, 1), strings.Replace(template, `"ids": [2]`, `"ids": [99]`, 1),
		strings.Replace(template, `"[CLS]": {"ids": [2]},`, ``, 1), `{"type": "TemplateProcessing"}`, `{"type": "RobertaProcessing"}`, `{"type": "XLNetProcessing"}`, `null`,
		`{"type": "BertProcessing", "sep": ["[SEP]"], "cls": 3}`, `{"type": "BertProcessing", "sep": ["[SEP]", -3], "cls": ["[CLS]", 2]}`,
	} {
		_, err := parseJSON([]byte(strings.Replace(smallJSON, plain, bad, 1)), config{})
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestUnknownPartsAreRefused names the part of a tokenizer.json that is not run.
func TestUnknownPartsAreRefused(t *testing.T) {
	normalizer := `{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}`
	splitter, model := `{"type": "BertPreTokenizer"}`, `"type": "WordPiece"`
	deep := strings.Repeat(`{"type": "Sequence", "normalizers": [`, 20) + strings.Repeat(`]}`, 20)
	for part, x := range map[string][2]string{
		`normalizer "NFC"`:               {normalizer, `{"type": "NFC"}`},
		`8 deep`:                         {normalizer, deep},
		`a Replace without a pattern`:    {normalizer, `{"type": "Replace"}`},
		`the pattern "\\p{L}+"`:          {normalizer, `{"type": "Replace", "pattern": {"Regex": "\\p{L}+"}}`},
		`the pattern "a++"`:              {normalizer, `{"type": "Replace", "pattern": {"Regex": "a++"}}`},
		`the pattern "(?<=a)b"`:          {normalizer, `{"type": "Replace", "pattern": {"Regex": "(?<=a)b"}}`},
		`the pattern "(a"`:               {normalizer, `{"type": "Replace", "pattern": {"Regex": "(a"}}`},
		`the character map has 3 bytes`:  {normalizer, `{"type": "Precompiled", "precompiled_charsmap": "AAAA"}`},
		`the normalizer: `:               {normalizer, `7`},
		`the pre_tokenizer: `:            {splitter, `[]`},
		`pre_tokenizer "Digits"`:         {splitter, `{"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}, {"type": "Digits"}]}`},
		`the prepend_scheme "first"`:     {splitter, `{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}`},
		`Metaspace without`:              {splitter, `{"type": "Metaspace"}`},
		`model type "WordLevel"`:         {model, `"type": "WordLevel"`},
		`without an unknown token`:       {model, `"type": "Unigram"`},
		`piece 1 is not a string`:        {`"vocab": {"[PAD]": 0`, `"unk_id": 0, "type": "Unigram", "vocab": [["a", 1], [1, "a"]], "vocab2": {"[PAD]": 0`},
		`the merges: `:                   {`"##"`, `"", "merges": 3, "type": "BPE"`},
		`merge 0 is "a b c"`:             {`"##"`, `"", "merges": ["a b c"], "type": "BPE"`},
		`BPE with dropout`:               {`"##"`, `"", "merges": [], "dropout": 0.1, "type": "BPE"`},
		`continuing_subword_prefix "##"`: {model, `"type": "BPE"`},
		`end_of_word_suffix "</w>"`:      {`"##"`, `"", "end_of_word_suffix": "</w>", "type": "BPE"`},
	} {
		if !strings.Contains(smallJSON, x[0]) {
			t.Fatalf("no %s", x[0])
		}
		_, err := parseJSON([]byte(strings.Replace(smallJSON, x[0], x[1], 1)), config{})
		if hint, ok := usererr.Hint(err); !ok || hint == "" || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

// TestAddedTokensTakeWhiteSpace checks the tokens to which the white space beside them belongs.
func TestAddedTokensTakeWhiteSpace(t *testing.T) {
	var m matcher
	m.add(addedToken{content: "<m>", id: 1, left: true})
	m.add(addedToken{content: "<r>", id: 2, right: true})
	for in, want := range map[string]string{
		"a  <m> b": "a|1| b|", "<m><m>": "1|1|", " <m>": "1|", "<r> \u3000<m>x": "2|1|x|", "<r> ": "2|", "a <r> b": "a |2|b|", "<r> <r> <m>": "2|2|1|",
	} {
		got := ""
		m.split(in, func(part string, id int32) {
			if id >= 0 {
				part = string('0' + id)
			}
			got += part + "|"
		})
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestSlowTokenizersAreNamedWithTheirCure(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "sentencepiece.bpe.model"), nil, 0o644)
	_, err := Load(dir)
	if hint, _ := usererr.Hint(err); err == nil || !strings.Contains(err.Error(), "sentencepiece.bpe.model") || !strings.Contains(hint, "save_pretrained('"+dir+"')") {
		t.Errorf("%v; %s", err, hint)
	}
	if _, err := LoadPlain(dir); err == nil || !strings.Contains(err.Error(), "no tokenizer.json") {
		t.Error(err)
	}
}

// TestPrefixOfTheConfig lets add_prefix_space of tokenizer_config.json decide, as the reference.
func TestPrefixOfTheConfig(t *testing.T) {
	c := readConformance(t)
	data := file(t, c.Bases["byte level"], nil)
	plain, err := parseJSON(data, config{})
	if err != nil {
		t.Fatal(err)
	}
	prefixed, err := parseJSON(data, config{Prefix: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(prefixed.Tokens("film"), plain.Tokens(" film")) || slices.Equal(prefixed.Tokens("film"), plain.Tokens("film")) {
		t.Errorf("%v, %v", prefixed.Tokens("film"), plain.Tokens("film"))
	}
}

func TestLoadLetsTheConfigWin(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir); err == nil {
		t.Error("an empty folder is loaded")
	}
	write("vocab.txt", strings.ReplaceAll(smallVocab, "[UNK]", "<what>"))
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "[UNK]") {
		t.Errorf("no unknown token: %v", err)
	}
	write("tokenizer_config.json", `{"unk_token": {"content": "<what>"}, "do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false}`)
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "{CleanText:true SpaceChinese:false StripAccents:true LowerCase:false MaxWordChars:100}"
	if tok.Settings() != want || !slices.Equal(tok.Tokens("hello <what> é"), []int32{9, 1, 13}) {
		t.Errorf("%+v %v", tok.Settings(), tok.Tokens("hello <what> é"))
	}
	write("tokenizer.json", smallJSON)
	if tok, err = Load(dir); err != nil {
		t.Fatal(err)
	}
	want = strings.Replace(want, "100", "8", 1)
	if tok.Settings() != want || tok.Size() != 11 {
		t.Errorf("%s", tok.Settings())
	}
	write("tokenizer_config.json", `{"unk_token": 3}`)
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "tokenizer_config.json") {
		t.Errorf("%v", err)
	}
}

func TestLineEndsOfVocab(t *testing.T) {
	tok, err := parseVocab([]byte(strings.ReplaceAll(smallVocab, "\n", "\r\n")), config{LowerCase: new(true)})
	if err != nil || !slices.Equal(tok.Tokens("unaffable e"), []int32{5, 6, 7, 13}) {
		t.Errorf("%v", err)
	}
	if _, err := parseVocab(nil, config{LowerCase: new(true)}); err == nil {
		t.Error("an empty vocabulary")
	}
}

// checkTokens tokenises and checks what must hold of every text.
func checkTokens(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	ids := tok.Encode(text, 16)
	before, after := tok.Special()
	if len(ids) > max(16, len(before)+len(after)) {
		t.Fatalf("%d ids", len(ids))
	}
	for _, id := range append(ids, tok.Tokens(text)...) {
		if id < 0 || int(id) >= tok.Size() {
			t.Fatalf("%q: id %d of %d", text, id, tok.Size())
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "unaffable, hello!", "É語\x00\ufffd\u200b", "[CLS][SEP]", strings.Repeat("a", 101), "\xff\xc3", "e\u0301\u0302", "İẞǅ"} {
		f.Add(s)
	}
	uncased, cased := fromVocab(f, true), fromVocab(f, false)
	f.Fuzz(func(t *testing.T, text string) {
		checkTokens(t, uncased, text)
		checkTokens(t, cased, text)
		if !utf8.ValidString(text) {
			return
		}
		// Splitting at a space changes nothing: words do not reach over it.
		if a, b, ok := strings.Cut(text, " "); ok {
			if joined := append(uncased.Tokens(a), uncased.Tokens(b)...); !slices.Equal(joined, uncased.Tokens(text)) {
				t.Fatalf("%q: %v, in parts %v", text, uncased.Tokens(text), joined)
			}
		}
	})
}

func FuzzVocab(f *testing.F) {
	f.Add([]byte(smallVocab), "unaffable é")
	f.Add([]byte("[UNK]\n[CLS]\n[SEP]\n\n##\n\xff"), "\xff##")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if tok, err := parseVocab(data, config{LowerCase: new(true)}); err == nil {
			checkTokens(t, tok, text)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(smallJSON), "New York ab[SEP]]")
	f.Add([]byte(strings.Replace(smallJSON, `"a": 4`, `"a": 2147483647`, 1)), "a")
	f.Add([]byte(strings.Replace(smallJSON, `"a": 4`, `"a": -1`, 1)), "a")
	f.Add([]byte(strings.Replace(smallJSON, `"##"`, `""`, 1)), "aaa")
	f.Add([]byte(strings.Replace(smallJSON, `: 8,`, `: -8,`, 1)), "aaa")
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{}}}`), "")
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"aa":1,"<0x62>":2},"merges":["a a"],"byte_fallback":true},"pre_tokenizer":{"type":"ByteLevel"},
		"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"RobertaProcessing","sep":["a",0],"cls":["aa",1]}]}}`), "aaab")
	f.Add([]byte(`{"model":{"type":"Unigram","vocab":[["a",-1],["ab",-1e308],["?",-3]],"unk_id":2},"added_tokens":[{"id":9,"content":" x","lstrip":true,"rstrip":true}],
		"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁"}]},
		"normalizer":{"type":"Sequence","normalizers":[{"type":"Replace","pattern":{"Regex":"a{2,}|b"},"content":"a"},{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAA="}]}}`), "aab  x ab")
	c := readConformance(f)
	for _, x := range c.Cases {
		f.Add(file(f, c.Bases[x.Base], x.Change), c.More[0])
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if tok, err := parseJSON(data, config{}); err == nil {
			checkTokens(t, tok, text)
		}
		if tok, err := parsePlain(data); err == nil {
			checkTokens(t, tok, text)
		}
	})
}

func TestSettingsKeepTheForm(t *testing.T) {
	// The ids of encoders, and so the vector caches of users, are made from this text.
	want := "{CleanText:true SpaceChinese:true StripAccents:true LowerCase:true MaxWordChars:100}"
	if got := fromVocab(t, true).Settings(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
