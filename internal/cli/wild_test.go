package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shopOfIDs makes a workspace of items with these ids, trained on interactions alone.
func shopOfIDs(t *testing.T, items, users []string) string {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("user\titem\ttime\n")
	for u, user := range users {
		for k := range 4 {
			fmt.Fprintf(&rows, "%s\t%s\t%d\n", user, items[(2*u+k)%len(items)], 1600000000+100*u+k)
		}
	}
	clicks := filepath.Join(dir, "clicks.tsv")
	if err := os.WriteFile(clicks, []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	catalogue := "item\ttitle\n"
	for i, item := range items {
		catalogue += fmt.Sprintf("%s\tThing number %d\n", item, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "items.tsv"), []byte(catalogue), 0o644); err != nil {
		t.Fatal(err)
	}
	ws := filepath.Join(dir, "ws")
	ok(t, "import", "tables", "--interactions", clicks, "--items", filepath.Join(dir, "items.tsv"), "--out", ws, "--k-core", "0", "--split", "leave-latest", "-q")
	ok(t, "run", ws, "--mllm", "offline", "--model", "mllmrec", "--set", "epochs=1", "-q")
	return ws
}

// Whatever ids look like, each can be named alone.
func TestIDsWithCommasAndDashes(t *testing.T) {
	items := []string{"Mug, red", "-7", "--user", "a,b", "a", "b", " padded", "née", "x=y", "'q'"}
	users := []string{"-u", "--json", "u,1", "u 2", "u3"}
	ws := shopOfIDs(t, items, users)
	for _, item := range items {
		left := recommended(t, "recommend", ws, "--history", item, "--mllm", "offline", "-k", "20", "--json")
		if len(left) != len(items)-1 || slices.Contains(left, item) {
			t.Errorf("--history %q leaves %q", item, left)
		}
	}
	for args, gone := range map[string]int{"a,b": 1, "a,née": 2, "-7, b ,a": 3, "Mug, red": 1} {
		if left := recommended(t, "recommend", ws, "--history="+args, "--mllm", "offline", "-k", "20", "--json"); len(left) != len(items)-gone {
			t.Errorf("--history=%s: %d items of %d are left", args, len(left), len(items))
		}
	}
	if left := recommended(t, "recommend", ws, "--history", "Mug, red", "--history", "-7,b", "--history=--user", "--mllm", "offline", "-k", "20", "--json"); len(left) != len(items)-4 {
		t.Errorf("several: %q are left", left)
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"recommend", ws, "--history", "Mug, blue", "--mllm", "offline"}, &out, &out); code != exitUser || !strings.Contains(out.String(), "Mug") {
		t.Errorf("an unknown id: exit %d: %s", code, out.String())
	}
	for _, user := range users {
		if left := recommended(t, "recommend", ws, "--user", user, "-k", "20", "--json"); len(left) == 0 {
			t.Errorf("nothing for %q", user)
		}
		if text, _ := ok(t, "reason", "show", ws, "--user", user); !strings.Contains(text, user) {
			t.Errorf("reason show --user %q: %s", user, text)
		}
	}
	if text, _ := ok(t, "describe", "show", ws, "--item", "-7"); !strings.Contains(text, "no such answers") { // it has no picture
		t.Errorf("describe show --item -7: %s", text)
	}
}

func recommended(t *testing.T, args ...string) (items []string) {
	t.Helper()
	list, _ := printsJSON(t, args...)["items"].([]any)
	for _, it := range list {
		items = append(items, it.(map[string]any)["item"].(string))
	}
	return items
}

// One user who has every item does not stop the training of the others.
func TestUserWithEveryItemStopsNothing(t *testing.T) {
	dir := t.TempDir()
	rows := "user,item,time\n"
	for k := range 6 {
		rows += fmt.Sprintf("all,i%d,%d\n", k, 1600000000+k)
	}
	for u := range 5 {
		for k := range 4 {
			rows += fmt.Sprintf("u%d,i%d,%d\n", u, (u+k)%6, 1600000000+10*u+k)
		}
	}
	rows += "all,late,1700000000\nall,later,1800000000\nu1,late,1750000000\nu2,later,1760000000\n" // the held-out ones
	clicks, ws := filepath.Join(dir, "c.csv"), filepath.Join(dir, "ws")
	if err := os.WriteFile(clicks, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	ok(t, "import", "tables", "--interactions", clicks, "--out", ws, "--k-core", "0", "--split", "leave-latest", "-q")
	_, stderr := ok(t, "train", ws, "--model", "bpr", "--set", "epochs=2")
	if !strings.Contains(stderr, `left out of sampling: 1 user ("all")`) {
		t.Errorf("not said: %s", stderr)
	}
	ok(t, "recommend", ws, "--user", "all")
	ok(t, "evaluate", ws)
}

func TestImportNamesEncodings(t *testing.T) {
	dir := t.TempDir()
	clicks, items := filepath.Join(dir, "c.csv"), filepath.Join(dir, "i.csv")
	for path, text := range map[string]string{clicks: "user,item,time\na,x,1\na,y,2\na,z,3\na,w,4\nb,z,1\nb,w,2\nb,x,3\nb,y,4\n", items: "item,title\nx,M\xfcsli\ny,Tee\nz,Milch\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"import", "tables", "--interactions", clicks, "--items", items, "--k-core", "0", "--split", "leave-latest", "--out"}
	var out strings.Builder
	if code := run(t.Context(), append(args, filepath.Join(dir, "no.ws")), &out, &out); code != exitUser || !strings.Contains(out.String(), `--encoding windows-1252 ("Müsli")`) {
		t.Errorf("unnamed: exit %d: %s", code, out.String())
	}
	if text, _ := ok(t, append(args, filepath.Join(dir, "u.ws"), "--encoding", "utf-8")...); !strings.Contains(text, "were replaced") {
		t.Errorf("taken as it is, without a word: %s", text)
	}
	ws := filepath.Join(dir, "w.ws")
	if text, _ := ok(t, append(args, ws, "--encoding", "cp1252")...); strings.Contains(text, "replaced") {
		t.Errorf("named: %s", text)
	}
	ok(t, "run", ws, "--mllm", "offline", "--model", "mllmrec", "--set", "epochs=1", "-q")
	if text, _ := ok(t, "recommend", ws, "--history", "z", "--mllm", "offline"); !strings.Contains(text, "Müsli") {
		t.Errorf("the title: %s", text)
	}
}

func TestEmbedPassesOverAMark(t *testing.T) {
	var out strings.Builder
	if err := embed(context.Background(), &lengths{}, strings.NewReader("\ufeffab\nc\n"), &out); err != nil || out.String() != "[2]\n[1]\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	for _, text := range []string{"\xff\xfea\x00\n\x00", "\xfe\xff\x00a\x00\n", "a\x00\n\x00"} {
		if err := embed(context.Background(), &lengths{}, strings.NewReader(text), &out); err == nil || !strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
