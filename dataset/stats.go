package dataset

import (
	"fmt"
	"slices"
)

// Stats describes a dataset in numbers.
type Stats struct {
	Users             int     `json:"users"`
	Items             int     `json:"items"`
	Interactions      int     `json:"interactions"`
	Train             int     `json:"train"`
	Valid             int     `json:"valid"`
	Test              int     `json:"test"`
	Density           float64 `json:"density"` // interactions / (users · items)
	ItemsWithoutText  int     `json:"items_without_text"`
	ItemsWithoutImage int     `json:"items_without_image"`
	ItemsUnseen       int     `json:"items_unseen"`        // in the catalogue, never chosen
	ItemsWithoutTrain int     `json:"items_without_train"` // never chosen in train
	UsersWithoutTrain int     `json:"users_without_train"`
	PerUserMin        int     `json:"per_user_min"` // interactions a user, all labels
	PerUserMedian     float64 `json:"per_user_median"`
	PerUserMax        int     `json:"per_user_max"`
	Split             string  `json:"split,omitempty"`
}

// Compute counts ds. Where it has no split yet, all interactions count as train.
func Compute(ds *Dataset) Stats {
	s := Stats{Users: ds.Users(), Items: ds.NumItems(), Interactions: len(ds.interactions), Split: ds.Split}
	perUser, perItem := make([]int, s.Users), make([]int, s.Items)
	trainUser, trainItem := make([]bool, s.Users), make([]bool, s.Items)
	for _, x := range ds.interactions {
		perUser[x.User]++
		perItem[x.Item]++
		switch x.Label {
		case Valid:
			s.Valid++
		case Test:
			s.Test++
		default:
			s.Train++
			trainUser[x.User], trainItem[x.Item] = true, true
		}
	}
	for r, it := range ds.Items {
		s.ItemsWithoutText += count(it.Text() == "")
		s.ItemsWithoutImage += count(it.Image == "")
		s.ItemsUnseen += count(perItem[r] == 0)
		s.ItemsWithoutTrain += count(!trainItem[r])
	}
	for _, ok := range trainUser {
		s.UsersWithoutTrain += count(!ok)
	}
	if s.Users > 0 && s.Items > 0 {
		s.Density = float64(s.Interactions) / (float64(s.Users) * float64(s.Items))
	}
	if s.Users > 0 {
		slices.Sort(perUser)
		s.PerUserMin, s.PerUserMax = perUser[0], perUser[s.Users-1]
		s.PerUserMedian = float64(perUser[(s.Users-1)/2]+perUser[s.Users/2]) / 2
	}
	return s
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Rows returns the statistics as (name, value) pairs for a table.
func (s Stats) Rows() [][2]string {
	n := func(v int) string { return fmt.Sprint(v) }
	rows := [][2]string{
		{"users", n(s.Users)},
		{"items", n(s.Items)},
		{"interactions", n(s.Interactions)},
		{"density", fmt.Sprintf("%.4f %%", 100*s.Density)},
		{"interactions a user (min / median / max)", fmt.Sprintf("%d / %g / %d", s.PerUserMin, s.PerUserMedian, s.PerUserMax)},
	}
	if s.Split != "" {
		rows = append(rows,
			[2]string{"split", s.Split},
			[2]string{"train / valid / test", fmt.Sprintf("%d / %d / %d", s.Train, s.Valid, s.Test)},
			[2]string{"items without train interaction", n(s.ItemsWithoutTrain)},
			[2]string{"users without train interaction", n(s.UsersWithoutTrain)})
	}
	return append(rows,
		[2]string{"items nobody chose", n(s.ItemsUnseen)},
		[2]string{"items without text", n(s.ItemsWithoutText)},
		[2]string{"items without image", n(s.ItemsWithoutImage)})
}
