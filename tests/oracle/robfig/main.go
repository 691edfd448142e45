// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/robfig.tsv: what the reference parser says of 2,000 specifications, half of them made by rule and half of those
// spoilt: the specification quoted, "error" or "ok", and the next two instants after a fixed one ("-": none within its five years).
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

var bounds = [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
var names = [5][]string{3: {"jan", "FEB", "Mar", "apr", "MAY", "jun", "jul", "AUG", "sep", "oct", "nov", "DEC"},
	4: {"SUN", "mon", "Tue", "wed", "THU", "fri", "sat"}}

func number(r *rand.Rand, i int) string {
	if names[i] != nil && r.Intn(4) == 0 {
		return names[i][r.Intn(len(names[i]))]
	}
	n := bounds[i][0] + r.Intn(bounds[i][1]-bounds[i][0]+1)
	if r.Intn(10) == 0 {
		return fmt.Sprintf("%02d", n)
	}
	return fmt.Sprint(n)
}

// interval: most go upwards.
func interval(r *rand.Rand, i int) string {
	if names[i] != nil && r.Intn(4) == 0 {
		return number(r, i) + "-" + number(r, i)
	}
	span := bounds[i][1] - bounds[i][0] + 1
	a, b := bounds[i][0]+r.Intn(span), bounds[i][0]+r.Intn(span)
	if a > b && r.Intn(8) != 0 {
		a, b = b, a
	}
	return fmt.Sprintf("%d-%d", a, b)
}

func element(r *rand.Rand, i int) string {
	switch r.Intn(8) {
	case 0:
		return "?"
	case 1, 2:
		return "*"
	case 3:
		return fmt.Sprintf("*/%d", 1+r.Intn(12))
	case 4:
		return interval(r, i)
	case 5:
		return interval(r, i) + fmt.Sprintf("/%d", 1+r.Intn(9))
	case 6:
		return number(r, i) + fmt.Sprintf("/%d", 1+r.Intn(9))
	}
	return number(r, i)
}

func field(r *rand.Rand, i int) string {
	parts := []string{element(r, i)}
	for r.Intn(5) == 0 {
		parts = append(parts, element(r, i))
	}
	return strings.Join(parts, ",")
}

func spec(r *rand.Rand) string {
	fixed := []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@every 1h30m", "@every 90s", "@every 10ms",
		"@every 1h1.5s", "@every 36h"}
	if r.Intn(20) == 0 {
		return fixed[r.Intn(len(fixed))]
	}
	var f []string
	for i := range bounds {
		f = append(f, field(r, i))
	}
	return strings.Join(f, []string{" ", "  ", "\t"}[r.Intn(20)/18+r.Intn(20)/19])
}

func zoned(r *rand.Rand, s string) string {
	zones := []string{"Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kolkata", "Nowhere/Else", ""}
	switch r.Intn(12) {
	case 0:
		return "CRON_TZ=" + zones[r.Intn(len(zones))] + " " + s
	case 1:
		return "TZ=" + zones[r.Intn(len(zones))] + " " + s
	}
	return s
}

// spoil changes, drops, doubles or adds a few characters.
func spoil(r *rand.Rand, s string) string {
	const alphabet = "0123456789*/-,? @LW#abSUNMON.+\t"
	b := []byte(s)
	for n := 1 + r.Intn(3); n > 0; n-- {
		at, c := r.Intn(len(b)), alphabet[r.Intn(len(alphabet))]
		switch r.Intn(4) {
		case 0:
			b[at] = c
		case 1:
			b = append(b[:at], b[at+1:]...)
		case 2:
			b = append(b[:at], append([]byte{b[at]}, b[at:]...)...)
		default:
			b = append(b[:at], append([]byte{c}, b[at:]...)...)
		}
		if len(b) == 0 {
			b = []byte{c}
		}
	}
	return string(b)
}

// parse: a specification that makes the parser panic is as good as an error.
func parse(s string) (sched cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return cron.ParseStandard(s)
}

func main() {
	r := rand.New(rand.NewSource(20260715))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, "# specification\tverdict\tnext\tnext\twritten by tests/oracle/robfig")
	for i := 0; i < 2000; i++ {
		s := zoned(r, spec(r))
		if i%2 == 1 {
			s = spoil(r, s)
		}
		schedule, err := parse(s)
		if err != nil {
			fmt.Fprintf(out, "%q\terror\t-\t-\n", s)
			continue
		}
		t := time.Date(2026, 2, 27, 22, 58, 30, 0, time.UTC)
		fmt.Fprintf(out, "%q\tok", s)
		for n := 0; n < 2; n++ {
			if !t.IsZero() {
				t = schedule.Next(t)
			}
			if t.IsZero() {
				fmt.Fprint(out, "\t-")
			} else {
				fmt.Fprintf(out, "\t%d", t.Unix())
			}
		}
		fmt.Fprintln(out)
	}
}
