// Package option reads the options of a stage from the tags of one Go struct. The same
// struct holds the values, is what the stage is called with, and gives the record that
// the address of its result is made from. Names, help, defaults, allowed values and the
// errors about options without effect all come from the tags, so that an option is
// written down in one place:
//
//	type Options struct {
//		Encoder string   `option:"encoder" doc:"text encoder" choices:"lsa,minilm,tei" default:"lsa"`
//		Dim     int      `option:"dim" doc:"dimensions of a vector" default:"384" min:"1" if:"encoder=lsa"`
//		Model   string   `option:"encoder-model" old:"model" doc:"folder or name of the model" if:"encoder=minilm|tei" json:"model,omitempty"`
//		Server  struct {
//			URLs    []string      `option:"base-url" doc:"address of the server"`
//			Timeout time.Duration `option:"timeout" doc:"time limit of a request" runs:"process" default:"5m"`
//		} `group:"Server" if:"encoder=tei"`
//	}
//
//	opt := option.Default[Options]()   // Encoder "lsa", Dim 384, Timeout 5m
//	set := option.Of(&opt)             // several structs make one set: Of(&writer, &pictures)
//	err := set.Set("dim", "128")       // what a flag, a form or a config file gives
//	err = set.Check()                  // option "dim" has no effect with option "encoder" minilm
//	record := set.Record()             // map[dim:128 encoder:lsa]
//
// The tags:
//
//	option   name in the words of users: lower case, hyphens. A field without it is no option.
//	doc      what the option is, a noun phrase. Every option has one.
//	group    heading in help. On a struct field it holds for all options inside; a blank field
//	         "_ struct{}" with the tag names the group of the struct that it stands in.
//	choices  allowed values, separated by commas.
//	default  value where none is given. Without the tag it is the zero value.
//	min, max smallest and largest allowed value of a number or a duration.
//	old      earlier names, separated by commas, still accepted. A present name of another
//	         option in the set wins over an old one, and the first option over later ones.
//	if       when the option has an effect: conditions separated by ";" that must all hold.
//	           name      that option is on, or has a value (not zero, not nil, not empty)
//	           !name     it is off, or has none
//	           name=a|b  it has one of these values
//	           name!=a|b it has none of these values
//	         The first and third also ask that the named option itself has an effect. On a
//	         struct field the conditions hold for all options inside.
//	runs     "process": the option says how the work is done and has no part in the result, such
//	         as a time limit or the number of requests at a time. It is not recorded.
//	json     the name in the record, in place of the option's name; ",omitempty" leaves the option
//	         out of the record where it has its zero value.
//
// An option may be a string, bool, int, int64, uint64, float32, float64, time.Duration or
// a type made from one of them, a pointer to one (nil: not given), or a list of strings.
package option
