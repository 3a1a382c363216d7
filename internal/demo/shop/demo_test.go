package shop

import (
	"bytes"
	"image/png"
	"maps"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
)

// made is the documented shop, made once for all tests.
var made = sync.OnceValues(func() (*dataset.Dataset, map[string][]byte) { return Shop(Seed) })

func TestShopIsWhole(t *testing.T) {
	ds, images := made()
	if len(ds.Items) != Items || ds.Users() != Shoppers || len(images) != Items {
		t.Fatalf("%d items, %d users, %d pictures", len(ds.Items), ds.Users(), len(images))
	}
	titles := map[string]bool{}
	for _, it := range ds.Items {
		img, err := png.Decode(bytes.NewReader(images[it.ID]))
		if err != nil || img.Bounds().Dx() != size || img.Bounds().Dy() != size {
			t.Fatalf("picture of %s: %v", it.ID, err)
		}
		if it.Image != it.ID+".png" || it.Title == "" || it.Brand == "" || len(it.Categories) != 3 || len(it.Description) < 40 || strings.Contains(it.Description, "%!") {
			t.Errorf("item %+v is not whole", it)
		}
		titles[it.Title] = true
	}
	if len(titles) < Items*9/10 {
		t.Errorf("only %d different titles", len(titles))
	}
	counts, seen := make([]int, Shoppers), map[[2]int32]bool{}
	for i, x := range labelledtest.Rows(ds) {
		if pair := [2]int32{x.User, x.Item}; seen[pair] {
			t.Fatalf("%v bought twice", pair)
		} else {
			seen[pair] = true
		}
		if counts[x.User]++; x.Time <= lastMoment-span || x.Time > lastMoment {
			t.Fatalf("interaction %d at time %d", i, x.Time)
		}
	}
	if low, high := slices.Min(counts), slices.Max(counts); low != 5 || high != 20 {
		t.Errorf("%d to %d interactions a shopper, want 5 to 20", low, high)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	ds, images := made()
	before := runtime.GOMAXPROCS(1)
	again, pictures := Shop(Seed)
	runtime.GOMAXPROCS(before)
	if diff := gocmp.Diff(ds, again, cmpopts.IgnoreUnexported(dataset.Dataset{})) + gocmp.Diff(labelledtest.Rows(ds), labelledtest.Rows(again)); diff != "" {
		t.Errorf("another data set:\n%.500s", diff)
	}
	if !maps.EqualFunc(images, pictures, bytes.Equal) {
		t.Error("other pictures")
	}
	products := makeProducts(Seed + 1)
	_, _, bought := makeShoppers(Seed+1, products)
	if slices.Equal(bought, labelledtest.Rows(ds)) || products[0].item.Description == ds.Items[0].Description && products[1].item.Description == ds.Items[1].Description {
		t.Error("another seed gives the same shop")
	}
}

// Colours are named in the words of two fifths of the items, patterns in half: not in
// more, or the pictures would be of no use, and not in fewer.
func TestWordsTellInPart(t *testing.T) {
	ds, _ := made()
	colour, pattern := 0, 0
	for i, p := range makeProducts(Seed) {
		text := strings.ToLower(ds.Items[i].Text())
		named := regexp.MustCompile(`\b` + colours[p.look.colour].name + `\b`).MatchString(text)
		if named != p.colourInWords {
			t.Errorf("%s: colour %s in %q: %v", p.item.ID, colours[p.look.colour].name, text, named)
		}
		if named {
			colour++
		}
		if slices.ContainsFunc(patternWords[p.look.pattern], func(w string) bool { return strings.Contains(text, w) }) {
			pattern++
		}
	}
	if c, p := float64(colour)/Items, float64(pattern)/Items; math.Abs(c-colourTold) > 0.08 || math.Abs(p-patternTold) > 0.08 {
		t.Errorf("colour in %.2f of the texts, pattern in %.2f", c, p)
	}
}

// The pixels give the colour away: the most saturated or darkest large area of a
// picture lies nearest to the product's own base colour for nearly all items.
func TestPicturesShowColours(t *testing.T) {
	_, images := made()
	right := 0
	for _, p := range makeProducts(Seed) {
		if shown(t, images[p.item.ID]) == p.look.colour {
			right++
		}
	}
	if right < Items*8/10 {
		t.Errorf("the colour can be read from %d of %d pictures", right, Items)
	}
}

// shown votes: each pixel well away from the pale backdrop for its nearest colour.
func shown(t *testing.T, data []byte) colour {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	votes := make([]int, len(colours))
	for y := 0; y < size; y += 2 {
		for x := 0; x < size; x += 2 {
			r, g, b, _ := img.At(x, y).RGBA()
			c := rgb{float64(r >> 8), float64(g >> 8), float64(b >> 8)}
			if min(c[0], c[1], c[2]) > 190 {
				continue
			}
			best, near := 0, math.Inf(1)
			for i := range colours {
				if d := distance(c, colours[i].rgb); d < near {
					best, near = i, d
				}
			}
			if near < 45 {
				votes[best]++
			}
		}
	}
	return colour(slices.Index(votes, slices.Max(votes)))
}

func distance(a, b rgb) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// concentration is how often two purchases of one shopper share a trait, over how
// often two purchases of different shoppers do.
func concentration(ds *dataset.Dataset, trait func(product) int) float64 {
	products := makeProducts(Seed)
	rows := labelledtest.Rows(ds)
	within, pairs := 0.0, 0.0
	total, n := map[int]float64{}, 0.0
	for lo := 0; lo < len(rows); {
		hi := lo
		for hi < len(rows) && rows[hi].User == rows[lo].User {
			total[trait(products[rows[hi].Item])]++
			n++
			hi++
		}
		for i := lo; i < hi; i++ {
			for j := lo; j < i; j++ {
				if trait(products[rows[i].Item]) == trait(products[rows[j].Item]) {
					within++
				}
				pairs++
			}
		}
		lo = hi
	}
	chance := 0.0
	for _, c := range total {
		chance += c / n * c / n
	}
	return within / pairs / chance
}

// Each trait of the taste model shows in what shoppers buy; a trait that is not in it
// does not.
func TestTasteShows(t *testing.T) {
	ds, _ := made()
	for name, c := range map[string]struct {
		trait     func(product) int
		low, high float64
	}{
		"colour":   {func(p product) int { return int(p.look.colour) }, 1.5, 5},
		"pattern":  {func(p product) int { return int(p.look.pattern) }, 1.05, 3},
		"category": {func(p product) int { return int(p.category) }, 1.4, 5},
		"style":    {func(p product) int { return int(p.style) }, 1.1, 3},
		"brand":    {func(p product) int { return p.brand }, 1.1, 3},
		"shape":    {func(p product) int { return p.look.shape }, 0.97, 1.03},
	} {
		if got := concentration(ds, c.trait); got < c.low || got > c.high {
			t.Errorf("%s: shared %.2f times as often as by chance, want %.2f to %.2f", name, got, c.low, c.high)
		} else {
			t.Logf("%s: %.2f", name, got)
		}
	}
}

// On each shopper's last purchase a simple profile of the traits of the others beats
// popularity, and the profile with what only pictures show beats the one without; the
// true taste bounds them all, well below certainty.
func TestTasteBeatsPopularity(t *testing.T) {
	ds, _ := made()
	products := makeProducts(Seed)
	tastes, _, _ := makeShoppers(Seed, products)
	popular, rows := make([]float64, Items), labelledtest.Rows(ds)
	last := map[int32]int{}
	for i, x := range rows {
		last[x.User] = i
		popular[x.Item]++
	}
	words := func(p product) []int {
		f := []int{int(p.category), 100 + int(p.style), 200 + p.brand}
		if p.colourInWords {
			f = append(f, 300+int(p.look.colour))
		}
		if p.patternInWords {
			f = append(f, 400+int(p.look.pattern))
		}
		return f
	}
	all := func(p product) []int {
		return []int{int(p.category), 100 + int(p.style), 200 + p.brand, 300 + int(p.look.colour), 400 + int(p.look.pattern)}
	}
	recall := func(score func(u int32, others []int32) []float64) float64 {
		hits := 0.0
		for lo := 0; lo < len(rows); {
			u := rows[lo].User
			hi := last[u]
			var others []int32
			for _, x := range rows[lo:hi] {
				others = append(others, x.Item)
			}
			s := score(u, others)
			for _, i := range others {
				s[i] = math.Inf(-1)
			}
			target, rank := rows[hi].Item, 0
			for i := range s {
				if s[i] > s[target] || s[i] == s[target] && int32(i) < target {
					rank++
				}
			}
			if rank < 20 {
				hits++
			}
			lo = hi + 1
		}
		return hits / float64(ds.Users())
	}
	profile := func(traits func(product) []int) float64 {
		frequency := map[int]float64{}
		for _, p := range products {
			for _, f := range traits(p) {
				frequency[f]++
			}
		}
		return recall(func(_ int32, others []int32) []float64 {
			weight := map[int]float64{}
			for _, i := range others {
				for _, f := range traits(products[i]) {
					weight[f] += math.Log(Items / frequency[f])
				}
			}
			s := make([]float64, Items)
			for i, p := range products {
				for _, f := range traits(p) {
					s[i] += weight[f]
				}
			}
			return s
		})
	}
	pop := recall(func(int32, []int32) []float64 { return slices.Clone(popular) })
	fromWords, fromAll := profile(words), profile(all)
	truth := recall(func(u int32, _ []int32) []float64 {
		s := make([]float64, Items)
		for i, p := range products {
			s[i] = tastes[u].likes(p) + weighAppeal*p.appeal
		}
		return s
	})
	t.Logf("recall@20 of the last purchase: chance %.3f, popularity %.3f, words %.3f, words and looks %.3f, the truth %.3f", 20.0/Items, pop, fromWords, fromAll, truth)
	if !(pop > 1.3*20/Items && fromWords > 1.1*pop && fromAll > 1.1*fromWords && truth > 1.1*fromAll && truth < 0.8) {
		t.Error("the order chance < popularity < words < words and looks < truth does not hold with room")
	}
}

func BenchmarkShop(b *testing.B) {
	for b.Loop() {
		Shop(Seed)
	}
}
