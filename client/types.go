package client

import "time"

// Item is an item of the catalogue.
type Item struct {
	ID          string   `json:"id" minLength:"1" maxLength:"1024" doc:"the shop's own id"`
	Title       string   `json:"title,omitempty" maxLength:"65536"`
	Brand       string   `json:"brand,omitempty" maxLength:"65536"`
	Categories  []string `json:"categories,omitempty" maxItems:"64" doc:"general to special"`
	Description string   `json:"description,omitempty" maxLength:"1048576"`
	Image       string   `json:"image,omitempty" maxLength:"1048576" doc:"path, address or data URI of a picture"`
	Price       float64  `json:"price,omitempty" minimum:"0" maximum:"1e12" doc:"in the shop's currency; left out where unknown"`
}

// Filter says which items may be in a list. All of its parts must hold; one that is left out holds for every item.
type Filter struct {
	Any   []string `json:"any,omitempty" maxItems:"1000" doc:"categories, of which an item has one at least"`
	All   []string `json:"all,omitempty" maxItems:"1000" doc:"categories, of which an item has each"`
	None  []string `json:"none,omitempty" maxItems:"1000" doc:"categories, of which an item has none"`
	Brand []string `json:"brand,omitempty" maxItems:"1000" doc:"brands, of which an item has one"`
	Allow []string `json:"allow,omitempty" maxItems:"100000" doc:"ids of the only items that may be in the list"`
	Deny  []string `json:"deny,omitempty" maxItems:"100000" doc:"ids of items that may not"`
	Seen  bool     `json:"seen,omitempty" doc:"items that the user chose may be in the list"`

	MinPrice float64 `json:"min_price,omitempty" minimum:"0" maximum:"1e12" doc:"lowest price; an item without a price is in no range"`
	MaxPrice float64 `json:"max_price,omitempty" minimum:"0" maximum:"1e12" doc:"highest price; 0: any"`
}

// Question asks for items: by what somebody chose, by what they say that they like, or by both. With User it is about somebody known.
type Question struct {
	User      string   `json:"user,omitempty" maxLength:"1024" doc:"id of a user; empty for somebody never seen"`
	History   []string `json:"history,omitempty" maxItems:"1000" doc:"ids of items chosen, oldest first; of a user: in place of what is known"`
	Text      string   `json:"text,omitempty" maxLength:"10000" doc:"what they like, in words; of a user: in place of the preference text"`
	K         int      `json:"k,omitempty" minimum:"1" maximum:"1000" default:"10" doc:"how many items"`
	Cursor    string   `json:"cursor,omitempty" maxLength:"400" doc:"'next' of the page before"`
	Diversity float64  `json:"diversity,omitempty" minimum:"0" maximum:"1" doc:"0: by score alone; 1: as unlike each other as can be (maximal marginal relevance)"`
	Filter    *Filter  `json:"filter,omitempty"`
	Because   *bool    `json:"because,omitempty" doc:"with reasons (default true)"`
	Parts     bool     `json:"parts,omitempty" doc:"with what each score is the sum of"`
}

// List is an answer.
type List struct {
	Run        string           `json:"run" doc:"the run that answered"`
	Model      string           `json:"model"`
	Arm        string           `json:"arm,omitempty" doc:"arm of the A/B test that the user is in"`
	Leaky      bool             `json:"leaky,omitempty" doc:"the run was made with test interactions in sight: a reproduction, no recommendation to rely on"`
	Request    string           `json:"request" doc:"id of this answer, for feedback"`
	Basis      string           `json:"basis" enum:"user,history,sentence,history and sentence,popularity" doc:"what the answer was made from"`
	Preference string           `json:"preference,omitempty" doc:"the preference text that was read, where one was given or written"`
	Note       string           `json:"note,omitempty" doc:"what whoever asks should know"`
	Items      []Recommendation `json:"items"`
	Matching   int              `json:"matching" doc:"items that the filter lets through"`
	Next       string           `json:"next,omitempty" doc:"cursor of the next page"`
}

// Recommendation is one item of a list.
type Recommendation struct {
	Rank        int      `json:"rank" doc:"from 1, the best"`
	Item        string   `json:"item" doc:"id"`
	Title       string   `json:"title,omitempty"`
	Score       float64  `json:"score" doc:"compares items of one list only"`
	Provisional bool     `json:"provisional,omitempty" doc:"the item came after the run was trained, and is judged by the items that it is most like"`
	Because     []Reason `json:"because,omitempty" doc:"what carried it, the strongest first"`
	Parts       []Part   `json:"parts,omitempty" doc:"what the score is the sum of, the largest first"`
}

// Reason names what carried a recommendation.
type Reason struct {
	Item   string  `json:"item,omitempty" doc:"id of an item of the history"`
	Title  string  `json:"title,omitempty"`
	Via    string  `json:"via" doc:"'chosen together', 'similar content' or 'same words'"`
	Weight float64 `json:"weight" doc:"users who chose both, cosine, or words shared"`
	Edge   float64 `json:"edge,omitempty" doc:"weight of the edge in the item graph"`
	Words  string  `json:"words,omitempty" doc:"the words shared"`
}

// Part is what one view of a user adds to a score. Its items and its rest sum to it.
type Part struct {
	View  string     `json:"view"`
	Score float64    `json:"score"`
	Items []ItemPart `json:"items,omitempty"`
	Rest  float64    `json:"rest,omitempty" doc:"from no item of the history"`
}

// ItemPart is what one item of the history adds.
type ItemPart struct {
	Item  string  `json:"item"`
	Title string  `json:"title,omitempty"`
	Score float64 `json:"score"`
}

// Explanation is what the score of one item for one user is made of. Its parts sum to the score.
type Explanation struct {
	Run        string   `json:"run"`
	Model      string   `json:"model"`
	Arm        string   `json:"arm,omitempty"`
	Leaky      bool     `json:"leaky,omitempty"`
	User       string   `json:"user"`
	Item       string   `json:"item"`
	Title      string   `json:"title,omitempty"`
	Basis      string   `json:"basis"`
	Preference string   `json:"preference,omitempty"`
	Note       string   `json:"note,omitempty"`
	Score      float64  `json:"score"`
	Rank       int      `json:"rank,omitempty" doc:"place among all items that may be recommended to the user; absent for one that may not"`
	Of         int      `json:"of,omitempty" doc:"how many these are"`
	LeftOut    string   `json:"left_out,omitempty" doc:"why it stands in no list of theirs"`
	Because    []Reason `json:"because,omitempty"`
	Parts      []Part   `json:"parts,omitempty"`
	Text       string   `json:"text,omitempty" doc:"all that the run reads of the item in words"`
}

// Preference is what the shop believes of a user in words.
type Preference struct {
	User    string    `json:"user"`
	Text    string    `json:"text"`
	Own     bool      `json:"own" doc:"it is the run's own, and nobody's edit"`
	Version int64     `json:"version" doc:"of the edits; 0 where there is none. Say it as 'base' of the next edit"`
	By      string    `json:"by,omitempty" doc:"who wrote it: user, admin or model"`
	Changed time.Time `json:"changed,omitzero"`
	OwnText string    `json:"own_text,omitempty" doc:"the run's own text"`
	Read    bool      `json:"read" doc:"the run's model reads preference texts: an edit changes what is recommended"`
}

// Edit is a new preference text.
type Edit struct {
	Text string `json:"text" minLength:"1" maxLength:"10000"`
	Base *int64 `json:"base,omitempty" minimum:"0" doc:"the version that the author saw; an edit of another is refused. Left out: whatever is there is replaced"`
}

// PreferenceVersion is one version of a user's preference text.
type PreferenceVersion struct {
	Version int64     `json:"version"`
	Text    string    `json:"text,omitempty" doc:"absent where the run's own text holds again"`
	Own     bool      `json:"own,omitempty"`
	By      string    `json:"by"`
	From    int64     `json:"from,omitempty" doc:"the version that it went back to"`
	Changed time.Time `json:"changed"`
}

// Event is one piece of feedback.
type Event struct {
	Key     string    `json:"key,omitempty" maxLength:"900" doc:"makes the event idempotent: posted again under its key, it is stored once"`
	User    string    `json:"user" minLength:"1" maxLength:"1024"`
	Item    string    `json:"item" minLength:"1" maxLength:"1024"`
	Type    string    `json:"type" enum:"view,like,purchase,hide"`
	Time    time.Time `json:"time,omitzero" doc:"when it happened (default: now)"`
	Weight  *float64  `json:"weight,omitempty" minimum:"0" maximum:"1000000" doc:"how much it counts (default: as the server's configuration says for the type)"`
	Request string    `json:"request,omitempty" maxLength:"1024" doc:"'request' of the list that the item stood in"`
}

// Receipt acknowledges an event: it is durable.
type Receipt struct {
	Seq   int64 `json:"seq" doc:"its place among all events"`
	Again bool  `json:"again,omitempty" doc:"it had been stored before, under its key"`
}

// ItemState is an item as it is now.
type ItemState struct {
	Item
	Text        string `json:"text,omitempty" doc:"all that the run reads of it in words, the description of its picture included"`
	Hidden      bool   `json:"hidden,omitempty"`
	Changed     bool   `json:"changed,omitempty" doc:"its fields were changed since the run was trained"`
	Provisional bool   `json:"provisional,omitempty" doc:"it came after the run was trained"`
	Why         string `json:"why,omitempty" doc:"why it stands in no list"`
	Near        []Near `json:"near,omitempty" doc:"what ties it to others, the strongest first"`
}

// Choice is an item that a user chose.
type Choice struct {
	Item
	Live bool `json:"live,omitempty" doc:"chosen since the run was trained"`
}

// Near is an item that another is tied to.
type Near struct {
	Item   string  `json:"item"`
	Title  string  `json:"title,omitempty"`
	Via    string  `json:"via" doc:"'chosen together' or 'similar content'"`
	Weight float64 `json:"weight" doc:"users who chose both, or cosine"`
	Edge   float64 `json:"edge,omitempty" doc:"weight in the item graph"`
}

// Run is a run that is served, or could be.
type Run struct {
	ID         string             `json:"id"`
	Model      string             `json:"model"`
	Seed       uint64             `json:"seed"`
	Leaky      bool               `json:"leaky,omitempty"`
	Provenance string             `json:"provenance,omitempty" doc:"train-only, leaky or unknown"`
	Valid      map[string]float64 `json:"valid,omitempty" doc:"full-ranking metrics on validation interactions"`
	Served     bool               `json:"served,omitempty"`
	Arm        string             `json:"arm,omitempty"`
	Share      int                `json:"share,omitempty" doc:"percent of the users"`
}

// Info is what is served.
type Info struct {
	Version   string `json:"version"`
	Workspace string `json:"workspace"`
	Users     int    `json:"users"`
	Items     int    `json:"items"`
	Added     int    `json:"added,omitempty" doc:"items that came after the run was trained"`
	Changed   int    `json:"changed,omitempty"`
	Hidden    int    `json:"hidden,omitempty"`
	Runs      []Run  `json:"runs"`
	Building  string `json:"building,omitempty" doc:"what is being trained to take the place of what is served"`
	Away      string `json:"away,omitempty" doc:"why the live state cannot be read now"`
}

// Problem is an error of the API, in the form of RFC 9457.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors,omitempty"`
}
