package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func request(i int) mllm.Request {
	return mllm.Request{Model: "gpt-4o", System: "You describe.", Prompt: fmt.Sprintf("Product %d \"quoted\"\nnext line", i), MaxTokens: 200, Seed: int64(i),
		Images: []mllm.Image{{Data: []byte{1, 2, byte(i)}, MIME: "image/jpeg"}}}
}

func export(t *testing.T, opt Options, n int) (string, []File) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	w, err := NewWriter(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Add(fmt.Sprint("id-", i), request(i)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return dir, files
}

func TestExportWritesWhatBatchServicesRead(t *testing.T) {
	_, files := export(t, Options{}, 3)
	data, err := os.ReadFile(files[0].Path)
	if err != nil || len(files) != 1 || files[0].Requests != 3 || files[0].Bytes != int64(len(data)) {
		t.Fatalf("%+v, %v", files, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	// The example of OpenAI's documentation, member for member.
	want := `{"custom_id":"id-2","method":"POST","url":"/v1/chat/completions","body":{"max_tokens":200,"messages":[{"role":"system","content":"You describe."},` +
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,AQIC"}},{"type":"text","text":"Product 2 \"quoted\"\nnext line"}]}],` +
		`"model":"gpt-4o","seed":2,"temperature":0}}`
	if lines[2] != want {
		t.Errorf("line 3 is\n%s\nwant\n%s", lines[2], want)
	}
}

func TestExportSplitsByCountAndBytes(t *testing.T) {
	dir, files := export(t, Options{MaxRequests: 4}, 10)
	if len(files) != 3 || files[0].Requests != 4 || files[2].Requests != 2 || filepath.Base(files[2].Path) != "batch-00003.jsonl" {
		t.Errorf("by count: %+v", files)
	}
	if _, err := NewWriter(dir, Options{}); err == nil {
		t.Error("an earlier export would be mixed with a new one")
	}
	_, whole := export(t, Options{}, 10)
	limit := whole[0].Bytes/3 + 10
	_, files = export(t, Options{MaxBytes: limit, Prefix: "x"}, 10)
	total := 0
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil || info.Size() > limit || info.Size() != f.Bytes {
			t.Errorf("%s: %v, limit %d, %v", f.Path, info.Size(), limit, err)
		}
		total += f.Requests
	}
	if total != 10 || len(files) < 3 {
		t.Errorf("by bytes: %+v", files)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(files[0].Path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExportRefusesWhatWouldComeBackAmbiguous(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, Options{MaxBytes: 600})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("a", request(1)); err != nil {
		t.Fatal(err)
	}
	other := request(2)
	other.Model = "gpt-4.1"
	large := request(3)
	large.Images[0].Data = make([]byte, 1000)
	for name, err := range map[string]error{
		"twice": w.Add("a", request(1)), "empty id": w.Add("", request(1)), "long id": w.Add(strings.Repeat("x", 600), request(1)),
		"bad utf-8": w.Add("\xff", request(1)), "another model": w.Add("b", other), "too large": w.Add("c", large),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	w.Abort()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("an aborted export left %v", left)
	}
}

const answerLine = `{"id":"b1","custom_id":%q,"response":{"status_code":200,"request_id":"r","body":{"model":"gpt-4o-2024-08-06","choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"A ball."}}],"usage":{"prompt_tokens":11,"completion_tokens":3}}},"error":null}` + "\n"

func TestImportTakesAnyOrderPartsAndErrors(t *testing.T) {
	first := fmt.Sprintf(answerLine, "id-3") + fmt.Sprintf(answerLine, "id-1") + "\n" +
		`{"custom_id":"id-2","response":{"status_code":429,"body":{"error":{"message":"slow down","type":"limit"}}},"error":null}` + "\n" +
		`{"custom_id":"id-4","response":null,"error":{"code":"batch_expired","message":"not done in time"}}` + "\n"
	second := fmt.Sprintf(answerLine, "id-1") + fmt.Sprintf(answerLine, "stranger") +
		`{"custom_id":"id-5","response":{"status_code":200,"body":{"model":"gpt-4o","choices":[{"finish_reason":"stop","message":{"content":""}}],"usage":{"prompt_tokens":9}}}}` + "\n" +
		`{"custom_id":"id-6","response":null,"error":{"code":"batch_cancelled","message":"cancelled"}}` + "\n" +
		`{"custom_id":"id-7","response":{"status_code":400,"body":{"error":{"message":"This model's maximum context length is 128000 tokens"}}}}` // whole, though no line break follows
	got := map[string]Result{}
	var order []string
	im := Importer{
		Known: func(id string) bool { return strings.HasPrefix(id, "id-") },
		Each:  func(r Result) error { got[r.CustomID] = r; order = append(order, r.CustomID); return nil },
	}
	if err := im.Read(strings.NewReader(first), "one.jsonl"); err != nil {
		t.Fatal(err)
	}
	if err := im.Read(strings.NewReader(second), "two.jsonl"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"id-3", "id-1", "id-2", "id-4", "id-5", "id-6", "id-7"}; !slices.Equal(order, want) {
		t.Errorf("results %v, want %v", order, want)
	}
	if r := got["id-1"]; r.Err != nil || r.Response.Text != "A ball." || r.Response.PromptTokens != 11 || r.Response.Model != "gpt-4o-2024-08-06" || r.Line != 2 {
		t.Errorf("id-1: %+v", r)
	}
	for id, class := range map[string]mllm.Class{"id-2": mllm.RateLimit, "id-4": mllm.Server, "id-5": mllm.Empty, "id-6": mllm.Cancelled, "id-7": mllm.PromptCut} {
		if mllm.ClassOf(got[id].Err) != class {
			t.Errorf("%s: %v, want class %s", id, got[id].Err, class)
		}
	}
	if got["id-5"].Response.PromptTokens != 9 {
		t.Errorf("the tokens of a failed answer are lost: %+v", got["id-5"].Response)
	}
	rep := im.Report()
	if rep.Lines != 9 || rep.Answers != 2 || rep.UnknownN != 1 || !slices.Equal(rep.Unknown, []string{"stranger"}) || !slices.Equal(rep.Duplicates, []string{"id-1"}) || rep.Errors[mllm.RateLimit] != 1 {
		t.Errorf("report %+v", rep)
	}
}

func TestImportNamesTheLineItCannotRead(t *testing.T) {
	good := fmt.Sprintf(answerLine, "a")
	for name, c := range map[string]struct {
		text string
		line string
	}{
		"torn last line": {good + good[:len(good)/2], "r.jsonl:2: the file ends in the middle of a line"},
		"not json":       {good + "oops\n" + good, "r.jsonl:2: "},
		"no id":          {"{}\n", "r.jsonl:1: there is no custom_id"},
		"nothing in it":  {"\n\n" + `{"custom_id":"x"}` + "\n", "r.jsonl:3: there is neither"},
		"endless line":   {good + strings.Repeat("x", maxLine+1) + "\n" + good, "r.jsonl:2: the line has more than"},
	} {
		im := Importer{}
		err := im.Read(strings.NewReader(c.text), "r.jsonl")
		if _, mine := usererr.Hint(err); !mine || !strings.HasPrefix(err.Error(), c.line) {
			t.Errorf("%s: %v, want %s…", name, err, c.line)
		}
		skipping := Importer{OnBadLine: func(*LineError) error { return nil }}
		if err := skipping.Read(strings.NewReader(c.text), "r.jsonl"); err != nil || len(skipping.Report().BadLines) != 1 {
			t.Errorf("%s, skipped: %v, %+v", name, err, skipping.Report())
		}
		if n := skipping.Report().Answers + skipping.Report().DuplicateN; n != strings.Count(c.text, good) {
			t.Errorf("%s: %d good lines were read", name, n)
		}
	}
	stop := errors.New("stop")
	im := Importer{Each: func(Result) error { return stop }}
	if err := im.Read(strings.NewReader(good), "r.jsonl"); !errors.Is(err, stop) {
		t.Errorf("the caller's error is lost: %v", err)
	}
}

func TestWriteChat(t *testing.T) {
	var buf bytes.Buffer
	r := request(1)
	r.Images = nil
	if err := WriteChat(&buf, r, "A ball."); err != nil {
		t.Fatal(err)
	}
	want := `{"messages":[{"role":"system","content":"You describe."},{"role":"user","content":"Product 1 \"quoted\"\nnext line"},{"role":"assistant","content":"A ball."}]}` + "\n"
	if buf.String() != want {
		t.Errorf("got %s", buf.String())
	}
	buf.Reset()
	if err := WriteChat(&buf, request(1), "A ball."); err != nil || !strings.Contains(buf.String(), `"data:image/jpeg;base64,AQIB"`) || !json.Valid(buf.Bytes()) {
		t.Errorf("with a picture: %v %s", err, buf.String())
	}
}

func TestBodyOptions(t *testing.T) {
	r := request(1)
	body, err := openai.Body(r, openai.BodyOptions{CompletionTokens: true, OmitSampling: true, Extra: map[string]any{"service_tier": "flex"}})
	if err != nil || !strings.Contains(string(body), `"max_completion_tokens":200`) || strings.Contains(string(body), "temperature") || !strings.Contains(string(body), `"service_tier":"flex"`) {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := openai.Body(r, openai.BodyOptions{Extra: map[string]any{"messages": 1}}); err == nil {
		t.Error("an extra member may not replace the messages")
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(answerLine, "a")))
	f.Add([]byte(`{"custom_id":"x","response":{"status_code":500,"body":{"error":"x"}}}`))
	f.Add([]byte(`{"custom_id":"x","error":{"code":1,"message":"x"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var n int
		im := Importer{OnBadLine: func(*LineError) error { return nil }, Each: func(r Result) error {
			n++
			if r.CustomID == "" || (r.Err == nil && strings.TrimSpace(r.Response.Text) == "") || (r.Err != nil && mllm.ClassOf(r.Err) == "") {
				t.Fatalf("%+v", r)
			}
			return nil
		}}
		if err := im.Read(bytes.NewReader(data), "f"); err != nil {
			t.Fatal(err)
		}
		if rep := im.Report(); rep.Lines != n+rep.DuplicateN+len(rep.BadLines) {
			t.Fatalf("%d lines, %d results, %+v", rep.Lines, n, rep)
		}
	})
}

// A byte order mark is no part of the first answer, nor of one where files were joined.
func TestMarksBeforeLines(t *testing.T) {
	line := `{"custom_id": "%s", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "a red cup"}, "finish_reason": "stop"}]}}}` + "\n"
	var ids []string
	im := Importer{Each: func(r Result) error {
		ids = append(ids, r.CustomID)
		return r.Err
	}}
	if err := im.Read(strings.NewReader("\ufeff"+fmt.Sprintf(line, "a")+fmt.Sprintf(line, "b")+"\ufeff"+fmt.Sprintf(line, "c")), "joined.jsonl"); err != nil || !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("%v, ids %q", err, ids)
	}
	for text, want := range map[string]string{
		"\xff\xfe{\x00}\x00":                           "text in utf-16le",
		"{\x00\"\x00a\x00\"\x00:\x001\x00}\x00":        "text in utf-16le",
		"version https://git-lfs.github.com/spec/v1\n": "Git LFS pointer",
		"<!DOCTYPE html><title>Sign in</title>":        "a web page",
	} {
		skipping := Importer{OnBadLine: func(*LineError) error { return nil }}
		err := skipping.Read(strings.NewReader(text), "r.jsonl")
		if _, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
