//go:build e2e

package e2e_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	kernel "golang.org/x/sys/unix"

	"yativo-card-exporter/internal/sandbox"
)

// stateFaults are what can happen to the state file.
func stateFaults() []ownFault {
	return []ownFault{
		{
			"no disk space",
			"goes on from memory, counts each failed write and logs the first; writes everything when there is space again",
			fullDisk,
		},
		{
			"the state file may not grow (`RLIMIT_FSIZE`)",
			"the same",
			fileSizeLimit,
		},
		{"a read-only disk at the start", "exits 1 and names `EXPORTER_STATE_FILE` and the reason", readOnlyDisk},
		{"the state file is another exporter's", "exits 1 and says so; the other goes on", lockedState},
		{"the state file is of a later version", "exits 1, says so, and leaves it as it is", futureState},
		{
			"the state file is damaged at any byte, cut off, or no state file at all",
			"starts, keeps the damaged file beside the new one, says so, and goes on from the previous file, one walk behind",
			damagedState,
		},
		{
			"the state file is damaged, and there is no space for a new one",
			"exits 1, and keeps what it can still read: when there is space, it goes on with that",
			damagedOnAFullDisk,
		},
		{
			"nobody is listed after a restart",
			"does not believe that for an hour, as without the restart (five minutes if there were up to ten customers); nobody is gone",
			emptyAfterRestart,
		},
	}
}

// emptyAfterRestart has the API list nobody to an exporter that knows customers
// from its state file alone.
func emptyAfterRestart(t *testing.T) {
	t.Helper()
	api := sandbox.New(sandbox.Options{Customers: 200, Quota: -1})
	env := settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_STATE_FILE": filepath.Join(t.TempDir(), "state.db")})
	exporter := startExporter(t, env)
	exporter.awaitReady()
	exporter.endCleanly(syscall.SIGTERM, 10*time.Second)
	api.InjectFault(sandbox.Body(`{"success":true,"data":{"customers":[],"total":0}}`).On(sandbox.CustomersEndpoint))
	exporter = startExporter(t, env)
	exporter.await(time.Minute, "refreshes fail, and all are remembered", func(now series) error {
		return errors.Join(now.is("yativo_up", 0), now.above(failures("incomplete"), 1), now.is("yativo_exporter_tracked_customers", 200),
			now.is(`yativo_card_status_transitions_total{from="active",to="gone"}`, 0))
	})
	exporter.endCleanly(syscall.SIGTERM, 10*time.Second)
}

const stateErrors = "yativo_exporter_state_errors_total"

// fullDisk runs the exporter with its state on a file system of 256 KiB of its
// own, and fills that.
func fullDisk(t *testing.T) {
	t.Helper()
	api := stillPopulation()
	folder := t.TempDir()
	env := settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_STATE_FILE": filepath.Join(folder, "state.db"), "FOLDER": folder})
	exporter := startExporterBy(t, ownMounts(`mount -t tmpfs -o size=256k tmpfs "$FOLDER" && exec "$0"`), env)
	exporter.awaitReady()
	inside := "/proc/" + strconv.Itoa(exporter.Cmd.Process.Pid) + "/root" + folder
	ballast := filepath.Join(inside, "ballast")
	fill(t, ballast)

	unwritable(t, exporter, api, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
	// What was owed is in the file: another exporter goes on with it.
	state, err := os.ReadFile(filepath.Join(inside, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "state.db")
	overwrite(t, copied, state)
	goesOn(t, env.with(settings{"EXPORTER_STATE_FILE": copied}), exporter.metrics())
}

// fill writes to a file until nothing fits any more.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if closeErr := file.Close(); !errors.Is(err, kernel.ENOSPC) || closeErr != nil {
		t.Fatalf("fill the disk: %v, %v", err, closeErr)
	}
}

func fileSizeLimit(t *testing.T) {
	t.Helper()
	api := stillPopulation()
	env := settingsFor(t, serveSandbox(t, api))
	exporter := startExporter(t, env)
	exporter.awaitReady()
	unwritable(t, exporter, api, limit(t, exporter.Cmd.Process.Pid, kernel.RLIMIT_FSIZE, 0))
	last := exporter.metrics()
	exporter.signal(syscall.SIGKILL)
	exporter.exit(10 * time.Second)
	goesOn(t, env, last)
}

// unwritable watches an exporter whose state file can take nothing more, until
// it can.
func unwritable(t *testing.T, exporter *exporter, api *sandbox.Sandbox, cure func()) {
	t.Helper()
	before := exporter.metrics()
	for i := range 2000 {
		api.Add(plain("late-" + strconv.Itoa(i)))
	}
	want := truth(t, api)
	exporter.await(30*time.Second, "two writes have failed", func(now series) error {
		return errors.Join(now.above(stateErrors, before[stateErrors]+1), now.is("yativo_up", 1), now.agree(want),
			now.is("yativo_exporter_tracked_customers", before["yativo_exporter_tracked_customers"]+2000))
	})
	cure()
	eventually(t, 30*time.Second, "the log tells the recovery", func() error {
		if !strings.Contains(exporter.Stderr.String(), "is written again") {
			return errors.New("not yet")
		}
		return nil
	})
	if said := strings.Count(exporter.Stderr.String(), "cannot be written"); said != 1 {
		t.Errorf("the log says %d times that the state file cannot be written, want once", said)
	}
}

// goesOn starts an exporter that has to know what another one knew.
func goesOn(t *testing.T, env settings, last series) *exporter {
	t.Helper()
	next := startExporter(t, env)
	next.await(30*time.Second, "another exporter goes on from there", func(now series) error {
		return errors.Join(now.is("yativo_up", 1),
			now.is("yativo_card_tracking_since_timestamp_seconds", last["yativo_card_tracking_since_timestamp_seconds"]),
			now.is("yativo_exporter_tracked_customers", last["yativo_exporter_tracked_customers"]),
			now.is(`yativo_card_status_transitions_total{from="new",to="kyc_initiated"}`, 0))
	})
	return next
}

func readOnlyDisk(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	env := settingsFor(t, serveSandbox(t, stillPopulation())).with(settings{
		"EXPORTER_STATE_FILE": filepath.Join(folder, "state.db"), "FOLDER": folder,
	})
	got := startProcess(t, ownMounts(`mount --bind "$FOLDER" "$FOLDER" && mount -o remount,bind,ro "$FOLDER" && exec "$0"`), env)
	refusesToStart(t, got, "EXPORTER_STATE_FILE", "read-only file system")
}

// refusesToStart waits for an exit with 1 and looks for words in what is said.
func refusesToStart(t *testing.T, p *process, words ...string) {
	t.Helper()
	if code := p.exit(15 * time.Second); code != 1 {
		t.Errorf("it exits %d, want 1", code)
	}
	for _, word := range words {
		if said := p.Stderr.String(); !strings.Contains(said, word) {
			t.Errorf("it does not say %q: %s", word, said)
		}
	}
}

func lockedState(t *testing.T) {
	t.Helper()
	env := settingsFor(t, serveSandbox(t, stillPopulation()))
	first := startExporter(t, env)
	first.awaitReady()
	refusesToStart(t, startProcess(t, nil, env), "EXPORTER_STATE_FILE", "another")
	if err := first.metrics().is(stateErrors, 0); err != nil {
		t.Error(err)
	}
}

// savedState runs an exporter for a walk and returns what it left, and what it
// knew.
func savedState(t *testing.T, env settings) (state []byte, last series) {
	t.Helper()
	exporter := startExporter(t, env)
	exporter.awaitReady()
	last = exporter.metrics()
	exporter.endCleanly(syscall.SIGTERM, 10*time.Second)
	state, err := os.ReadFile(env["EXPORTER_STATE_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	return state, last
}

func futureState(t *testing.T) {
	t.Helper()
	env := settingsFor(t, serveSandbox(t, stillPopulation()))
	state, _ := savedState(t, env)
	// The header is a magic word, the version, and a checksum.
	const magic, sum = len("yativo card state"), 4
	state[magic]++
	header := state[:magic+4+sum]
	binary.LittleEndian.PutUint32(header[len(header)-sum:], crc32.Checksum(header[:len(header)-sum], crc32.MakeTable(crc32.Castagnoli)))
	overwrite(t, env["EXPORTER_STATE_FILE"], state)
	refusesToStart(t, startProcess(t, nil, env), "EXPORTER_STATE_FILE", "version")
	if after, err := os.ReadFile(env["EXPORTER_STATE_FILE"]); err != nil || !slices.Equal(after, state) {
		t.Errorf("the file was changed: %v", err)
	}
}

func damagedState(t *testing.T) {
	t.Helper()
	env := settingsFor(t, serveSandbox(t, stillPopulation()))
	state, last := savedState(t, env)
	chance := rand.New(rand.NewPCG(6, 11))
	damages := map[string][]byte{"rubbish": make([]byte, len(state)), "cut off": state[:chance.IntN(len(state))]}
	for i := range damages["rubbish"] {
		damages["rubbish"][i] = byte(chance.Uint32())
	}
	for range 10 {
		at := chance.IntN(len(state))
		damaged := slices.Clone(state)
		damaged[at] ^= 1 << chance.IntN(8)
		damages[fmt.Sprintf("byte %d", at)] = damaged
	}
	for name, damaged := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "state.db")
			overwrite(t, path, damaged)
			exporter := startExporter(t, env.with(settings{"EXPORTER_STATE_FILE": path}))
			exporter.await(30*time.Second, "it tracks on", func(now series) error {
				return errors.Join(now.is("yativo_up", 1), now.is(stateErrors, 0),
					now.is("yativo_exporter_tracked_customers", last["yativo_exporter_tracked_customers"]))
			})
			log := exporter.Stderr.String()
			if moved := strings.Count(log, "moved aside"); moved != 1 {
				t.Errorf("it says %d times that the file was moved aside", moved)
			}
			if kept, err := os.ReadFile(path + ".corrupt-1"); err != nil || !slices.Equal(kept, damaged) {
				t.Errorf("the damaged file is not kept as it was: %v", err)
			}
		})
	}
}

// damagedOnAFullDisk starts the exporter on a damaged file and the whole one
// before it, first without and then with space to write a new one.
func damagedOnAFullDisk(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	env := settingsFor(t, serveSandbox(t, stillPopulation()))
	state, last := savedState(t, env)
	damaged := filepath.Join(t.TempDir(), "state.db")
	overwrite(t, damaged+".previous", state)
	state[len(state)/2] ^= 1
	overwrite(t, damaged, state)
	exporter := startExporterBy(t, ownMounts(`mount -t tmpfs -o size=256k tmpfs "$FOLDER" && cp "$DAMAGED" "$DAMAGED.previous" "$FOLDER/" || exit 3
		cat /dev/zero > "$FOLDER/ballast" 2> /dev/null
		"$0"; echo "without space it exits $?"
		rm "$FOLDER/ballast" && exec "$0"`),
		env.with(settings{"EXPORTER_STATE_FILE": filepath.Join(folder, "state.db"), "FOLDER": folder, "DAMAGED": damaged}))
	exporter.await(30*time.Second, "it goes on with what was whole", func(now series) error {
		return errors.Join(now.is("yativo_up", 1), now.is(stateErrors, 0),
			now.is("yativo_card_tracking_since_timestamp_seconds", last["yativo_card_tracking_since_timestamp_seconds"]),
			now.is("yativo_exporter_tracked_customers", last["yativo_exporter_tracked_customers"]))
	})
	if said := exporter.Stdout.String(); said != "without space it exits 1\n" {
		t.Errorf("it was said that %s", said)
	}
	inside := "/proc/" + strconv.Itoa(exporter.Cmd.Process.Pid) + "/root" + folder
	if kept, err := os.ReadFile(filepath.Join(inside, "state.db.corrupt-1")); err != nil || !slices.Equal(kept, state) {
		t.Errorf("the damaged file is not kept as it was: %v", err)
	}
	if _, err := os.Stat(filepath.Join(inside, "state.db.corrupt-2")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is kept twice: %v", err)
	}
}

// killedWhileWriting kills the exporter again and again, as its walk ends and
// is being written.
func killedWhileWriting(t *testing.T) {
	t.Helper()
	api := sandbox.New(sandbox.Options{Seed: 7, Customers: 230, Quota: -1})
	var atTheEnd atomic.Pointer[func()]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r)
		if kill := atTheEnd.Load(); kill != nil && r.URL.Query().Get("page") == "3" {
			_ = http.NewResponseController(w).Flush()
			(*kill)()
		}
	})
	env := settingsFor(t, serveSandbox(t, handler))
	_, last := savedState(t, env)
	chance := rand.New(rand.NewPCG(6, 9))
	for i := range 20 {
		// Everybody moves, so that every record is written.
		for _, c := range api.Customers() {
			api.Update(c.ID, func(c *sandbox.Customer) { c.Status = 1 + c.Status%5 })
		}
		exporter := startProcess(t, nil, env)
		delay := time.Duration(chance.IntN(3000)) * time.Microsecond
		kill := func() {
			<-time.After(delay)
			exporter.signal(syscall.SIGKILL)
		}
		atTheEnd.Store(&kill)
		exporter.exit(30 * time.Second)
		atTheEnd.Store(nil)
		if log := exporter.Stderr.String(); strings.Contains(log, "ERROR") {
			t.Fatalf("after %d kills: %s", i, tail(log))
		}
	}
	exporter := goesOn(t, env, last)
	if log := exporter.Stderr.String(); strings.Contains(log, "ERROR") {
		t.Errorf("after all the kills: %s", tail(log))
	}
}
