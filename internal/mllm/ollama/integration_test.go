package ollama_test

import (
	"bytes"
	"context"
	"fmt"
	goimage "image"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama/ollamatest"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
)

// picture is a small picture of two colours, prepared as the pipeline prepares them.
func picture(t *testing.T, left, right color.Color) mllm.Image {
	t.Helper()
	img := goimage.NewRGBA(goimage.Rect(0, 0, 120, 90))
	for y := range 90 {
		for x := range 120 {
			c := left
			if x >= 60 {
				c = right
			}
			img.Set(x, y, c)
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	loader, err := image.NewLoader(image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer loader.Close()
	out, err := loader.Prepare(t.Context(), buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// promptLength is what the tiny model's tokenizer makes of a prompt: a token a character
// and one for each mark of the template, the start of all included.
func promptLength(messages ...string) int {
	n := 1 + 1 + len("model") + 1
	for _, m := range messages {
		n += 1 + len("user") + 1 + len(m) + 1 + 1
	}
	return n
}

func TestAgainstARealOllama(t *testing.T) {
	url := ollamatest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	newClient := func(cfg ollama.Config) *ollama.Client {
		cfg.BaseURL = url
		c, err := ollama.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	client := newClient(ollama.Config{PerImage: ollamatest.ImageTokens + ollamatest.AroundImage})
	ask := func(r mllm.Request) mllm.Response {
		t.Helper()
		r.Model = ollamatest.Model
		resp, err := client.Generate(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	info, err := client.Describe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	model, ok := info.Find(ollamatest.Model)
	if !ok || !model.Vision || model.ContextLength != ollamatest.Context || len(model.Digest) != 64 || model.Family != "gemma3" {
		t.Fatalf("the server describes itself as %+v", info)
	}

	warm, cold := picture(t, color.RGBA{250, 180, 20, 255}, color.White), picture(t, color.Black, color.RGBA{10, 40, 220, 255})
	question := mllm.Request{System: "You describe.", Prompt: "What is it?", MaxTokens: 12, Seed: 3}

	t.Run("text", func(t *testing.T) {
		resp := ask(question)
		if strings.TrimSpace(resp.Text) == "" || resp.AnswerTokens == 0 || resp.AnswerTokens > 12 || resp.ModelDigest != model.Digest || !mllm.SameModel(ollamatest.Model, resp.Model) {
			t.Errorf("%+v", resp)
		}
		if want := promptLength(question.System, question.Prompt); resp.PromptTokens != want {
			t.Errorf("the server read %d tokens, the prompt has %d", resp.PromptTokens, want)
		}
		if again := ask(question); again.Text != resp.Text {
			t.Errorf("the same seed answered %q, then %q", resp.Text, again.Text)
		}
	})
	t.Run("pictures", func(t *testing.T) {
		with := func(images ...mllm.Image) mllm.Response {
			r := question
			r.Images = images
			return ask(r)
		}
		none, one, other, two := with(), with(warm), with(cold), with(warm, cold)
		const each = ollamatest.ImageTokens + ollamatest.AroundImage
		if one.PromptTokens != none.PromptTokens+each || two.PromptTokens != none.PromptTokens+2*each {
			t.Errorf("prompt tokens %d, %d, %d; a picture takes %d", none.PromptTokens, one.PromptTokens, two.PromptTokens, each)
		}
		if one.Text == none.Text || one.Text == other.Text {
			t.Errorf("the pictures do not matter to the answers: none %q, one %q, another %q", none.Text, one.Text, other.Text)
		}
		t.Logf("an answer to a picture: %q in %.2f s", one.Text, one.Seconds)
	})
	t.Run("image tags in the text stay text", func(t *testing.T) {
		r := question
		r.Prompt, r.Images = "Title: [img-7] and [img] here", []mllm.Image{warm}
		if resp, want := ask(r), promptLength(r.System, r.Prompt)+ollamatest.ImageTokens+ollamatest.AroundImage; resp.PromptTokens != want {
			t.Errorf("the server read %d tokens, want %d", resp.PromptTokens, want)
		}
	})
	t.Run("the window grows with the prompt", func(t *testing.T) {
		// The model spells letter by letter, four times what the estimate expects.
		r := question
		r.Prompt = strings.Repeat("a long story of toys ", 120)
		resp := ask(r)
		if want := promptLength(r.System, r.Prompt); resp.PromptTokens != want || resp.NumCtx < want+r.MaxTokens || resp.NumCtx > 2*want {
			t.Errorf("the server read %d of %d tokens in a window of %d", resp.PromptTokens, want, resp.NumCtx)
		}
		if resp.Attempts < 2 {
			t.Errorf("the estimate cannot have been right at once")
		}
		r.Prompt = strings.Repeat("another story of toy ", 120)
		if resp = ask(r); resp.Attempts != 1 {
			t.Errorf("%d attempts: the window and the estimate were not learnt from", resp.Attempts)
		}
		r.Model = ollamatest.Model
		if _, err := newClient(ollama.Config{MaxNumCtx: 2048}).Generate(ctx, r); mllm.ClassOf(err) != mllm.PromptCut {
			t.Errorf("a prompt larger than the window may be: %v", err)
		}
	})
	t.Run("a cut prompt is a failure", func(t *testing.T) {
		r := question
		r.Model, r.NumCtx = ollamatest.Model, 2048
		r.Prompt = strings.Repeat("a long story of toys ", 110)
		resp, err := client.Generate(ctx, r)
		if mllm.ClassOf(err) != mllm.PromptCut {
			t.Errorf("the server cut %d tokens to %d and answered %q: %v", promptLength(r.System, r.Prompt), resp.PromptTokens, resp.Text, err)
		}
		// With a picture at the cut the server drops the picture whole.
		r.Images = []mllm.Image{warm}
		if resp, err := client.Generate(ctx, r); mllm.ClassOf(err) != mllm.PromptCut {
			t.Errorf("with a picture: read %d, answered %q: %v", resp.PromptTokens, resp.Text, err)
		}
	})
	t.Run("failures have classes", func(t *testing.T) {
		r := question
		r.Model = "not-there"
		if _, err := client.Generate(ctx, r); mllm.ClassOf(err) != mllm.NotFound {
			t.Errorf("a model the server does not have: %v", err)
		}
		r.Model, r.Images = ollamatest.Model, []mllm.Image{{Data: []byte("no picture"), MIME: "image/jpeg"}}
		if _, err := client.Generate(ctx, r); err == nil {
			t.Error("what is no picture was described")
		}
		r.Images, r.ModelDigest = nil, strings.Repeat("0", 64)
		if _, err := client.Generate(ctx, r); mllm.ClassOf(err) != mllm.WrongModel {
			t.Errorf("other weights: %v", err)
		}
		r.ModelDigest, r.MaxTokens = "", 4000
		if _, err := newClient(ollama.Config{Timeout: 30 * time.Millisecond}).Generate(ctx, r); mllm.ClassOf(err) != mllm.Timeout {
			t.Errorf("a timeout: %v", err)
		}
	})
	t.Run("the compatible route", func(t *testing.T) {
		compatible, err := openai.New(openai.Config{BaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		r := question
		r.Model, r.Images = ollamatest.Model, []mllm.Image{warm}
		resp, err := compatible.Generate(ctx, r)
		// The route makes a message of each part and an empty line between them.
		if want := promptLength(r.System, r.Prompt) + ollamatest.ImageTokens + ollamatest.AroundImage + 1; err != nil || resp.PromptTokens != want || strings.TrimSpace(resp.Text) == "" {
			t.Errorf("the server read %d tokens, want %d: %+v, %v", resp.PromptTokens, want, resp, err)
		}
		// It takes no num_ctx and cuts at its default, with HTTP 200.
		r.Prompt, r.Images = strings.Repeat("7 ", 5000), nil
		if resp, err := compatible.Generate(ctx, r); mllm.ClassOf(err) != mllm.PromptCut {
			t.Errorf("the server read %d tokens of %d: %v", resp.PromptTokens, promptLength(r.System, r.Prompt), err)
		}
	})
	t.Run("through the pool", func(t *testing.T) {
		pool, err := mllm.NewPool([]mllm.EndpointConfig{{Client: client, Concurrency: 4}}, mllm.PoolOptions{})
		if err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 12)
		for i := range 12 {
			go func() {
				r := question
				r.Model, r.Prompt, r.Images = ollamatest.Model, fmt.Sprintf("What is number %d?", i), []mllm.Image{warm}
				_, err := pool.Generate(ctx, r)
				errs <- err
			}()
		}
		for range 12 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}
