package check

import (
	"regexp"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// refusals are the beginnings that models are trained to give refusals. An answer that merely
// contains "sorry" or "cannot" is accepted.
var refusals = compile(
	`(i'm|i am|we're|we are) (really |very |so |deeply )?(sorry|afraid)\b.{0,80}\b(can't|cannot|can not|unable|not able|won't|don't|do not|couldn't|no image)`,
	`(sorry|my apologies|apologies|i apologi[sz]e|unfortunately)\b.{0,80}\b(i|we) ?('m|am|are)? ?(can't|cannot|can not|unable|not able|won't|don't|do not|couldn't|must decline)`,
	`(i|we) ((just|simply) )?(can't|cannot|can not|won't|will not|could not|couldn't|must decline to|(am|are|'m|'re) (unable|not able) to) (to )?(assist|help|provide|describe|process|view|see|identify|fulfil|comply|complete|do (that|this)|analy[sz]e|generate|write|create|access|open|answer|engage|discuss)`,
	`(i'm|i am) (unable|not able) to\b`,
	`as an? (ai|artificial intelligence|(large )?language model|text-based)\b`,
	`(i|we) (don't|do not|can't|cannot) see (any|an|the|a) (image|picture|photo)`,
	`(there is|there's|there was|i see) no (image|picture|photo)\b.{0,40}(attached|provided|here|to describe|included|uploaded)`,
	`no (image|picture|photo) (was|is|has been) (provided|attached|uploaded|included)`,
	`please (provide|upload|share|attach|send) (the|an|a|your|me) .{0,20}(image|picture|photo)`,
	`(很)?(抱歉|对不起|對不起|不好意思).{0,12}(无法|無法|不能|没有办法|看不到)`,
	`我(无法|無法|不能)(查看|看到|提供|描述|协助|协助|帮助|回答|满足|识别|處理|处理)`,
	`作为(一个|一名)?(ai|人工智能|语言模型|大型语言模型)`,
	`申し訳(ありません|ございません).{0,40}(できません|できかねます)`,
	`(es tut mir leid|tut mir leid|leider).{0,40}\b(kann ich|ich kann)\b.{0,60}\bnicht\b`,
	`(je suis (vraiment )?désolée?|désolée?).{0,40}je ne (peux|suis)`,
	`lo siento.{0,40}no puedo`,
)

func compile(patterns ...string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(patterns))
	for i, p := range patterns {
		out[i] = regexp.MustCompile(`^(?:` + p + `)`)
	}
	return out
}

var apostrophes = strings.NewReplacer("’", "'", "ʼ", "'", "`", "'", "*", "", "#", "")

// refuses reports whether an answer begins like a refusal.
func refuses(text string) string {
	const look = 240
	head := []rune(strings.ToLower(strings.TrimSpace(apostrophes.Replace(text))))
	start := strings.Join(strings.Fields(string(head[:min(len(head), look)])), " ")
	start = strings.TrimLeft(start, `"'“”(-– `)
	for _, re := range refusals {
		if m := re.FindString(start); m != "" {
			return "it begins: " + m
		}
	}
	return ""
}

func unknownScript(name string) error {
	return usererr.New("Use a Unicode script name such as Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Thai, Han, Hangul, or Japanese, Korean, any.",
		"unknown script %q", name)
}
