package check

import (
	"regexp"
	"strings"
)

const (
	number  = `(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|several|many|multiple|various|all)`
	article = `(?:items?|products?|things?|entries|objects?|articles?|listings?)`
)

// aboutTheList are sentences on the list that a prompt shows, or on how the task is done,
// instead of on who chose. Small models write them when they have nothing to say.
var aboutTheList = compileAll(
	`(?:the|this|these|that|our|here is (?:the|a)|here are the) (?:\w+ ){0,3}?(?:lists?|catalogue|conclusions?|paragraphs?|summary|following `+article+`)\b`,
	`(?:the|these|those|all|all of the|each of the) (?:`+number+` )?(?:\w+ )?`+article+` (?:are|is|were|was|above|below|listed|shown|in the list|on the list|can be)\b`,
	`there (?:are|is|were) (?:a total of |in total )?`+number+` (?:\w+ ){0,2}?`+article+`\b`,
	`(?:the|this|one|our) (?:customer|user|shopper|buyer|person) (?:has |had )?(?:chose|chosen|selected|picked|bought|purchased|ordered) (?:a total of |in total |exactly )?`+number+` (?:\w+ ){0,2}?`+article+`(?: (?:over time|in total|in this order|from the shop|from the list|in the list))?$`,
	`(?:`+article+`|number) #?\d+\b`,
	`(?:a total of |in total,? )?`+number+` (?:different )?`+article+`\b`,
	`(?:in this (?:paragraph|text|summary|answer|response|section)\b|(?:here,? )?(?:i|we) (?:will|shall|am going to|'ll) (?:describe|write|list|explain|summari[sz]e|go through|give|provide|discuss)\b)`,
	`(?:the|this|one) (?:customer|user|shopper|buyer|person) has `+number+` (?:\w+ ){0,2}?`+article+`\b`,
	`the (?:first|second|third|fourth|fifth|next|last|final) (?:`+article+`|one)\b`,
)

func compileAll(patterns ...string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(patterns))
	for i, p := range patterns {
		out[i] = regexp.MustCompile(`(?i)^(?:` + p + `)`)
	}
	return out
}

var (
	sentenceEnds = regexp.MustCompile(`[.!?。！？]+(?:\s+|$)|\n+`)
	numbered     = regexp.MustCompile(`(?m)^\s*(?:\d{1,3}[.):]|[-*•])\s+\S`)
)

// lists reports an answer of which half or more of the sentences are about the list, or
// which goes through it line by line.
func lists(text string) string {
	const leastLines = 3
	if n := len(numbered.FindAllString(text, -1)); n >= leastLines && 2*n >= strings.Count(strings.TrimSpace(text), "\n")+1 {
		return "it goes through the items line by line"
	}
	sentences, about, first := 0, 0, ""
	for _, s := range sentenceEnds.Split(text, -1) {
		s = strings.TrimLeft(strings.TrimSpace(s), `"'“”(*#-– `)
		if len(tokens(s)) == 0 {
			continue
		}
		sentences++
		for _, re := range aboutTheList {
			if m := re.FindString(s); m != "" {
				if about++; first == "" {
					first = m
				}
				break
			}
		}
	}
	if about == 0 || 2*about < sentences {
		return ""
	}
	return "it is about the list, not about the taste behind it: " + first
}
