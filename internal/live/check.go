package live

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The longest strings that a store takes, in bytes. What is longer is refused, never cut.
const (
	MaxID         = 1024      // of users, items, arms, runs, requests, idempotency keys
	MaxPreference = 64 << 10  // a preference text
	MaxField      = 1 << 20   // a field of an item; a picture may be a data URI
	MaxCategories = 64        // how many categories an item may have
	maxName       = 200       // of a key of the API
	maxWeight     = 1_000_000 // of an event
)

func refuse(hint, format string, args ...any) error { return usererr.New(hint, format, args...) }

// checkText says what is wrong with a text that may be empty. A zero byte is refused because
// PostgreSQL cannot hold it, and both drivers must take the same.
func checkText(what, s string, most int) error {
	switch {
	case len(s) > most:
		return refuse("Send a shorter one.", "%s is %d bytes long, more than %d", what, len(s), most)
	case !utf8.ValidString(s):
		return refuse("Send it in UTF-8.", "%s is not valid UTF-8", what)
	case strings.IndexByte(s, 0) >= 0:
		return refuse("Leave the zero bytes out.", "%s contains a zero byte", what)
	}
	return nil
}

// checkID is checkText for what must not be empty.
func checkID(what, s string) error {
	if s == "" {
		return refuse("", "%s is empty", what)
	}
	return checkText(what, s, MaxID)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckEvent says what is wrong with an event that AddEvents would refuse.
func CheckEvent(e *Event) error {
	if !slices.Contains(EventTypes, e.Type) {
		return refuse("Use view, like, purchase or hide.", "the type %.40q is unknown", string(e.Type))
	}
	if w := e.Weight; w != nil && (math.IsNaN(*w) || *w < 0 || *w > maxWeight) {
		return refuse("", "the weight must be a number from 0 to %d, not %v", maxWeight, *w)
	}
	return firstError(checkTime(e.Time), checkTime(e.Received), checkID("the user", e.User), checkID("the item", e.Item), checkText("the key", e.Key, MaxID),
		checkText("the arm", e.Arm, MaxID), checkText("the request id", e.Request, MaxID))
}

// The times that a client may state.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func checkTime(t time.Time) error {
	if !t.IsZero() && (t.Before(earliest) || t.After(latest)) {
		return refuse("State it as a moment, in RFC 3339.", "the time is not between the years 1970 and 3000")
	}
	return nil
}

func checkItem(it *dataset.Item) error {
	if len(it.Categories) > MaxCategories {
		return refuse("", "item %.60q has %d categories, more than %d", it.ID, len(it.Categories), MaxCategories)
	}
	err := firstError(checkID("the item's id", it.ID), checkText("the title", it.Title, MaxField), checkText("the brand", it.Brand, MaxField),
		checkText("the description", it.Description, MaxField), checkText("the image", it.Image, MaxField))
	if !dataset.ValidPrice(it.Price) {
		err = firstError(err, refuse("", "the price of item %.60q is not between 0 and %g", it.ID, dataset.MaxPrice))
	}
	for _, c := range it.Categories {
		err = firstError(err, checkText("a category", c, MaxID))
	}
	return err
}
