package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
)

// itemsEnv says how large a catalogue hybrid is measured on.
const itemsEnv = "MLLMREC_TEST_ITEMS"

// TestHybridGrows logs the time and the peak memory of a whole 'run' on a made-up shop with so many items,
// two and a half users and thirty-odd interactions an item, with titles and times. For 100,000:
//
//	MLLMREC_TEST_ITEMS=100000 go test -run TestHybridGrows -v -timeout 60m ./internal/cli
func TestHybridGrows(t *testing.T) {
	var items int
	if n, _ := fmt.Sscanf(os.Getenv(itemsEnv), "%d", &items); n == 0 {
		t.Skipf("set %s to a number of items", itemsEnv)
	}
	shape := modeltest.Shape{Users: 5 * items / 2, Items: items, Train: 25 * items, Width: 2, Tastes: items / 100}
	ds := modeltest.Make(shape, 1).Dataset
	var inter, catalogue strings.Builder
	inter.WriteString("user,item,time\n")
	for row, x := range labelledtest.Rows(ds) {
		if x.Label != dataset.Train {
			continue
		}
		fmt.Fprintf(&inter, "%s,%s,%d\n", ds.UserIDs[x.User], ds.Items[x.Item].ID, row)
	}
	catalogue.WriteString("item,title\n")
	for i, item := range ds.Items {
		taste := i % shape.Tastes
		fmt.Fprintf(&catalogue, "%s,%s of %s in %s no. %d\n", item.ID, word(taste), word(taste/7+1000), word(i%97+5000), i/shape.Tastes)
	}
	ws := importTables(t, t.TempDir(), inter.String(), catalogue.String())
	cmd := exec.Command("mllmrec", "run", ws, "--mllm", "offline", "--encoder", "lsa")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	took := time.Since(start)
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.Log(said.String())
	t.Logf("%d items, %d users, %d train interactions: %v, %v of processors, %d MB at most", items, shape.Users, shape.Train, took.Round(time.Second),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(time.Second), use.Maxrss>>10)
}

// word makes a word of a number, a different one for each.
func word(n int) string {
	syllables := []string{"ba", "de", "ki", "lo", "mu", "ra", "so", "ti", "vu", "ze", "fa", "ge", "hi", "jo", "nu", "pa"}
	var b strings.Builder
	for n += 16; n > 0; n /= 16 {
		b.WriteString(syllables[n%16])
	}
	return b.String()
}
