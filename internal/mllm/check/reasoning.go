package check

import (
	"regexp"
	"strings"
)

// notation is one way in which models mark reasoning that is not part of the answer.
type notation struct {
	open, close *regexp.Regexp
	// alone reports that the closing mark occurs nowhere else, so that one without an opening
	// mark, which stood in the prompt, ends reasoning too.
	alone bool
}

func marks(open, closing string, alone bool) notation {
	return notation{regexp.MustCompile(`(?is)` + open), regexp.MustCompile(`(?is)` + closing), alone}
}

const thinkingTag = `(?:[a-z]+[:_])?(?:think|thinking|thoughts?|reason|reasoning|reflection|scratch_?pad|analysis|cot|inner_monologue)`

// notations are those of the models that are in use, in words of their documentation and
// chat templates.
var notations = []notation{
	marks(`<`+thinkingTag+`(?:\s[^<>]*)?>`, `</`+thinkingTag+`\s*>`, true), // DeepSeek R1, Qwen 3, GLM, Hunyuan, EXAONE, Gemini, Seed-OSS (seed:think), LongCat
	marks(`<details type="reasoning"[^<>]*>`, `</details>`, false),         // Open WebUI
	marks(`\[THINK\]`, `\[/THINK\]`, true),                                 // Magistral
	marks(`◁think▷`, `◁/think▷`, true),                                     // Kimi-VL
	marks(`<\|begin_of_thought\|>`, `<\|end_of_thought\|>`, true),          // OpenThinker, Sky-T1
	marks(`<\|START_THINKING\|>`, `<\|END_THINKING\|>`, true),              // Command A
	marks(`<\|(?:thinking|think)\|>`, `<\|(?:/think(?:ing)?|end_think(?:ing)?|end)\|>`, false),
	marks(`<\|channel>\s*(?:thought|analysis)\b`, `<channel\|>`, false),                                                          // Gemma 4
	marks(`<\|channel\|>\s*(?:analysis|commentary)\b[^<]*<\|message\|>`, `<\|end\|>|<\|(?:start|channel)\|>`, false),             // gpt-oss (harmony)
	marks(`<unused94>`, `<unused95>`, true),                                                                                      // MedGemma
	marks(`^\s*Here (?:is|are) my (?:reasoning steps|thought process):`, `\[BEGIN FINAL RESPONSE\]|Here is my response:`, false), // Apriel, Granite 3.2
	// Harmony whose control tokens the server dropped leaves the names of its channels.
	{regexp.MustCompile(`^\s*analysis(?:[A-Z]|\s*\n|$)`), regexp.MustCompile(`(?:assistant)?\s*final(?:[A-Z"“*]|\s*\n|$)`), false},
}

// withoutMarks removes reasoning and control tokens, those too that appear when others are
// taken out of their middle. A text of marks nested deeper than any model writes is no answer.
func withoutMarks(text string) string {
	const deepest = 8
	for range deepest {
		less := withoutControls(withoutReasoning(text))
		if len(less) == len(text) {
			return less
		}
		text = less
	}
	return ""
}

// withoutReasoning removes what is marked as reasoning: whole stretches, all before a stray
// closing mark, and all after an opening mark that is never closed.
func withoutReasoning(text string) string {
	for _, n := range notations {
		text = n.cut(text)
	}
	return text
}

func (n notation) cut(text string) string {
	var kept strings.Builder
	for {
		open := n.open.FindStringIndex(text)
		if open == nil {
			break
		}
		kept.WriteString(text[:open[0]])
		end := n.close.FindStringIndex(text[open[1]:])
		if end == nil {
			text = ""
			break
		}
		text = n.after(text, open[1]+end[0], open[1]+end[1])
	}
	text = kept.String() + text
	if n.alone {
		if all := n.close.FindAllStringIndex(text, -1); len(all) > 0 {
			text = text[all[len(all)-1][1]:]
		}
	}
	return text
}

// after returns the text behind a closing mark. Where the mark only begins what follows,
// such as the header of another channel, it belongs to the rest.
func (n notation) after(text string, from, to int) string {
	switch found := text[from:to]; {
	case strings.EqualFold(found, "<|start|>"), strings.EqualFold(found, "<|channel|>"):
		return text[from:]
	case strings.Contains(found, "final") && !strings.HasPrefix(found, "["): // the last letter is the answer's first
		return text[from+strings.Index(found, "final")+len("final"):]
	}
	return text[to:]
}

var (
	// answerMarks stand around an answer: R1-like models, Hunyuan, Granite 3.3, Command A,
	// OpenThinker, Apriel.
	answerMarks = regexp.MustCompile(`(?is)(?:<(?:answer|response|final|final_answer|output)>|<\|START_RESPONSE\|>|<\|begin_of_solution\|>|\[BEGIN FINAL RESPONSE\])(.*?)(?:</(?:answer|response|final|final_answer|output)>|<\|END_RESPONSE\|>|<\|end_of_solution\|>|\[END FINAL RESPONSE\]|$)`)
	// strayMarks are one of the two without the other, or with nothing in between.
	strayMarks = regexp.MustCompile(`(?i)</?(?:answer|response|final|final_answer|output)>|\[(?:BEGIN|END) FINAL RESPONSE\]`)

	// turnHeads open a turn or a channel, with the name of who speaks; nothing of them is
	// an answer.
	turnHeads = regexp.MustCompile(`(?i)<\|start\|>\s*[a-z]*|<\|channel\|>[^<]*<\|message\|>|<\|im_start\|>\s*(?:assistant|system|user|model)?|<\|start_header_id\|>[^<]*<\|end_header_id\|>|<start_of_turn>\s*(?:model|user)?|<\|turn>\s*(?:model|user|system)?|<\|channel>\s*[a-z]*`)
	// turnEnds end the model's turn. What follows is another turn, which a server that does
	// not stop there lets the model invent.
	turnEnds = regexp.MustCompile(`(?i)<end_of_turn>|<turn\|>|<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|endoftext\|>|<\|end_of_text\|>|<\|return\|>|<\|end\|>|<\|END_OF_TURN_TOKEN\|>|<\|endofturn\|>|<end_of_utterance>|<eos>|</s>|<\x{FF5C}end▁of▁sentence\x{FF5C}>|\[EOS\]`)
	// boxes are coordinates in a picture, as grounding models write them.
	boxes = regexp.MustCompile(`(?is)<\|box_start\|>.*?<\|box_end\|>|<box>.*?</box>|<\|point_start\|>.*?<\|point_end\|>|<loc_?\d+>`)
	// controls are all other control tokens, by their form: <|…|>, <｜…｜>, ◁…▷, [INST].
	controls = regexp.MustCompile(`(?i)<\|[^<>|\n]{1,40}\|>|<\x{FF5C}[^<>\n]{1,40}\x{FF5C}>|<\|[a-z_]{1,20}>|<[a-z_]{1,20}\|>|◁/?[a-z_]{1,30}▷|</?(?:s|bos|eos|pad|unk|mask|image|img|ref|object_ref|start_of_turn|end_of_turn|start_of_image|end_of_image|image_soft_token|fake_token_around_image|global-img|row_\d+_col_\d+|unused\d+|extra_id_\d+|reserved_special_token_\d+|0x[0-9a-f]{2})>|\[/?(?:INST|IMG|IMG_BREAK|IMG_END|SYSTEM_PROMPT|THINK|BOS|EOS|PAD|UNK|SEP|CLS|MASK|AVAILABLE_TOOLS|TOOL_CALLS)\]|<</?SYS>>`)
)

// withoutControls keeps of a text the answer: what stands between answer marks where there
// are such, up to the end of the model's turn, without control tokens.
func withoutControls(text string) string {
	text = turnHeads.ReplaceAllString(text, "")
	if all := answerMarks.FindAllStringSubmatch(text, -1); len(all) > 0 {
		if last := all[len(all)-1][1]; strings.TrimSpace(last) != "" {
			text = last
		}
	}
	text = strayMarks.ReplaceAllString(text, "")
	for _, end := range turnEnds.FindAllStringIndex(text, -1) {
		if strings.TrimSpace(controls.ReplaceAllString(text[:end[0]], "")) != "" {
			text = text[:end[0]]
			break
		}
	}
	text = turnEnds.ReplaceAllString(text, "")
	text = boxes.ReplaceAllString(text, "")
	return controls.ReplaceAllString(text, "")
}
