package check

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const good = "This soft wooden rattle is painted in bright colours, fits a small hand, and makes a gentle sound. It suits babies from three months, is easy to wipe clean, and comes in a cotton bag that parents can take along."

func script(t *testing.T, name string) Script {
	t.Helper()
	s, err := ParseScript(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnswerFindsFaults(t *testing.T) {
	latin := Rules{MaxWords: 150, Script: script(t, "latin")}
	prompt := "Describe the product below for a parent. Name what it looks like, what it is for and who would buy it, in at most 100 words, and do not invent anything. Title: Wooden rattle"
	for name, c := range map[string]struct {
		text, finish string
		rules        Rules
		want         mllm.Class
	}{
		"good":               {good, "stop", latin, ""},
		"short but fine":     {"A red ball.", "stop", latin, ""},
		"empty":              {"", "stop", latin, mllm.Empty},
		"marks only":         {"… --- !!!", "stop", latin, mllm.Empty},
		"cut off":            {good, "length", latin, mllm.CutOff},
		"cut off, other":     {good, "max_tokens", latin, mllm.CutOff},
		"sentence loop":      {good + strings.Repeat(" It is soft.", 8), "length", latin, mllm.Repetition},
		"word loop":          {"The toy is " + strings.Repeat("very ", 30), "stop", latin, mllm.Repetition},
		"sign loop":          {"A toy " + strings.Repeat("!", 60), "stop", latin, mllm.Repetition},
		"loop with an end":   {strings.Repeat("It is good for a child and for a mother. It is good for a dog and for a cat. ", 8) + "The end of it.", "stop", latin, mllm.Repetition},
		"chinese loop":       {"这个玩具" + strings.Repeat("非常好看", 20), "stop", Rules{}, mllm.Repetition},
		"emphasis":           {"A very, very, very soft toy. Yes, yes, yes!", "stop", latin, ""},
		"divider":            {"A toy\n----------------\nIt is soft.", "stop", latin, ""},
		"too long":           {strings.Join(distinctWords(151), " "), "stop", latin, mllm.TooLong},
		"just short enough":  {strings.Join(distinctWords(150), " "), "stop", latin, ""},
		"chinese for latin":  {"这款柔软的木制摇铃色彩鲜艳适合小手抓握声音轻柔适合三个月以上的宝宝使用", "stop", latin, mllm.WrongScript},
		"latin with a name":  {"The 木 rattle by 日本玩具 is a soft wooden toy for small hands.", "stop", latin, ""},
		"latin for japanese": {good, "stop", Rules{Script: script(t, "Japanese")}, mllm.WrongScript},
		"japanese":           {"このやわらかい木製のガラガラは小さな手にぴったりで、やさしい音がします。", "stop", Rules{Script: script(t, "Japanese")}, ""},
		"echo":               {prompt, "stop", latin, mllm.Echo},
		"echo with a word":   {"Okay. " + prompt[:130] + " A toy.", "stop", latin, mllm.Echo},
		"title quoted":       {"Wooden rattle: " + good, "stop", latin, ""},
	} {
		got, reason := Answer(mllm.Request{Prompt: prompt}, mllm.Response{Text: c.text, FinishReason: c.finish}, c.rules)
		if got != c.want || (got == "") != (reason == "") {
			t.Errorf("%s: %q (%s), want %q", name, got, reason, c.want)
		}
	}
}

func distinctWords(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "w" + strings.Repeat("a", i/26+1) + string(rune('a'+i%26))
	}
	return out
}

func TestRefusals(t *testing.T) {
	for _, s := range []string{
		"I'm sorry, but I can't help with that request.", "I’m sorry, I cannot describe this image.", "I am unable to view images.",
		"Sorry, I can't assist with that.", "Unfortunately, I cannot process images directly.", "I cannot provide a description of people.",
		"As an AI language model, I don't have preferences.", "I don't see any image attached. Could you share it?", "Please provide the image you would like me to describe.",
		"**I apologize**, but I am not able to identify it.", "No image was provided.", "很抱歉，我无法查看图片。", "对不起，我不能提供这个信息。", "作为一个AI，我没有感情。",
		"Es tut mir leid, aber ich kann das Bild nicht sehen.", "Je suis désolé, mais je ne peux pas vous aider.", "Lo siento, pero no puedo ayudar.", "申し訳ありませんが、お答えできません。",
	} {
		if refuses(s) == "" {
			t.Errorf("not seen as a refusal: %s", s)
		}
	}
	for _, s := range []string{
		good, "Sorry Not Sorry is printed on this shirt.", "I am sorry for the small photo; the toy is red and soft.", "This user cannot resist wooden toys.",
		"As an all-purpose bag it fits strollers.", "The user prefers toys that do not need batteries; unfortunately few such toys exist.", "An AI-themed lunch box for children.",
		"Image: a red wooden train on a track.", "No sharp edges, no batteries: a picture book of cloth.", "I can't live without it, says the label of this mug.",
	} {
		if m := refuses(s); m != "" {
			t.Errorf("seen as a refusal: %s (%s)", s, m)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, " - ": 0, "one two  three\nfour": 4, "don't T-shirt 3.5 a_b e.g.": 5, "这是一个玩具。": 6, "トイ toy": 3, "아기 장난감": 2,
		"end. Start": 2, "สวัสดีครับ": 2, "naïve café": 2, "(a) [b] {c}": 3,
	} {
		if got := Words(text); got != want {
			t.Errorf("%q has %d words, want %d", text, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"  plain text \n": "plain text",
		"<think>hm\n\nlet me see</think>\n\nA red ball.":    "A red ball.",
		"so, the picture…</think>A red ball.":               "A red ball.",
		"<think>never ends":                                 "",
		"A ball.<end_of_turn>\n":                            "A ball.",
		"A ball.<|im_end|><|endoftext|>":                    "A ball.",
		"```\nA red ball.\n```":                             "A red ball.",
		"```markdown\nA red ball.\n```":                     "A red ball.",
		"Use ```x``` here":                                  "Use ```x``` here",
		"Sure, here is the description:\n\nA red ball.":     "A red ball.",
		"Here's a description of the product:\nA red ball.": "A red ball.",
		"Here is a red ball: it bounces.":                   "Here is a red ball: it bounces.",
		"Here is a list:":                                   "Here is a list:",
		"Surely a ball:\nred":                               "Surely a ball:\nred",
		`"A red ball."`:                                     "A red ball.",
		`"Red" and "blue"`:                                  `"Red" and "blue"`,
		"**Bold** stays\n- and lists":                       "**Bold** stays\n- and lists",
		"a\r\n\r\n\r\n\r\nb\x00\x1b":                        "a\n\nb",
		"bad \xff byte":                                     "bad \uFFFD byte",
		"“A red ball.”":                                     "A red ball.",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRetriesHaveAnotherSeedAndSomeTemperature(t *testing.T) {
	r := mllm.Request{Model: "gemma3:27b", Prompt: "Describe it.", Seed: 5}
	if got := ForRetry(r, 0); got.Seed != 5 || got.Temperature != 0 {
		t.Errorf("before any unusable answer: seed %d, temperature %v", got.Seed, got.Temperature)
	}
	seeds := map[int64]bool{5: true}
	for n := range 5 {
		got := ForRetry(r, n+1)
		if seeds[got.Seed] || got.Temperature < 0.3 || got.Prompt != r.Prompt {
			t.Errorf("after %d unusable answers: %+v", n+1, got)
		}
		seeds[got.Seed] = true
	}
	if r.Temperature = 0.9; ForRetry(r, 2).Temperature != 0.9 {
		t.Error("a higher temperature was lowered")
	}
}

func TestParseScriptNamesTheValidOnes(t *testing.T) {
	_, err := ParseScript("klingon")
	if hint, mine := usererr.Hint(err); !mine || !strings.Contains(hint, "Latin") {
		t.Errorf("%v (%s)", err, hint)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("<think>a</think>```\nb\n``` \"c\"")
	f.Add("Sure:\n\n<think>")
	f.Fuzz(func(t *testing.T, s string) {
		once := Clean(s)
		if !utf8.ValidString(once) || once != strings.TrimSpace(once) {
			t.Fatalf("%q", once)
		}
		Answer(mllm.Request{Prompt: s}, mllm.Response{Text: once}, Rules{MaxWords: 10, Script: Script{}})
	})
}
