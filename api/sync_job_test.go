package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func (b *bench) syncs() string { return "/v2/accounts/" + b.master.ID + "/syncs" }

func TestSyncJobs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		device := b.device(`{"name":"a"}`)
		id := device[len(device)-32:]
		r := b.do("PUT", b.syncs(), `{"data":{}}`).want(http.StatusCreated)
		path := b.syncs() + "/" + r.id()
		if got := r.header.Get("Location"); got != path {
			b.Errorf("Location %q, want %q", got, path)
		}
		none := `{"pending":0,"sending":0,"waiting":0,"returned":0,"missing":0,"refused":0,"unreachable":0,"skipped":0}`
		want := fmt.Sprintf(`{"id":%q,"filter":{},"event":"","reboot":null,"rate":10,"canary":0,"stop_above":null,"patience":600,"come_back":"registered",
			"state":"preparing","reason":"","created":%q,"finished":null,"counts":%s,"total":0,"progress":0}`, r.id(), r.at("created"), none)
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
			b.Error(diff)
		}
		all := fmt.Sprintf(`{"filter":{"brand":"acme","family":"x","model":"x1","owner_id":%q,"behind":true,"devices":[%q,%q]},"reboot":true,"rate":"20","canary":5,
			"patience":30,"come_back":"fetched","event":"check-sync;x=y"}`, strings.Repeat("a", 32), id, id)
		r = b.do("PUT", b.syncs(), `{"data":`+all+`}`, lenient).want(http.StatusCreated)
		want = fmt.Sprintf(`{"id":%q,"filter":{"brand":"acme","family":"x","model":"x1","owner_id":%q,"behind":true,"devices":1},"event":"check-sync;x=y",
			"reboot":true,"rate":20,"canary":5,"stop_above":20,"patience":30,"come_back":"fetched","state":"preparing","reason":"","created":%q,"finished":null,
			"counts":%s,"total":0,"progress":0}`, r.id(), strings.Repeat("a", 32), r.at("created"), none)
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
			b.Error(diff)
		}
		if r := b.do("PUT", b.syncs(), `{"data":{"canary":5,"stop_above":null}}`).want(http.StatusCreated); r.at("stop_above") != nil {
			b.Errorf("got %v, want null", r.at("stop_above"))
		}

		// Pause, resume, change and cancel.
		if r := b.do("PATCH", path, `{"data":{"state":"paused","rate":7}}`).want(http.StatusOK); r.at("state") != "paused" || fmt.Sprint(r.at("rate")) != "7" {
			b.Errorf("got %s", r.body)
		}
		if r := b.do("PATCH", path, `{"data":{"state":"running"}}`).want(http.StatusOK); r.at("state") != "preparing" {
			b.Errorf("a job that was not prepared: got %s", r.body)
		}
		if r := b.do("PATCH", path, `{"data":{"state":"cancelled"}}`).want(http.StatusOK); r.at("state") != "cancelled" || r.at("finished") == nil {
			b.Errorf("got %s", r.body)
		}
		b.do("PATCH", path, `{"data":{"state":"running"}}`).rejects("state: invalid")
		if r := b.do("GET", path, "").want(http.StatusOK); r.at("state") != "cancelled" || fmt.Sprint(r.at("rate")) != "7" {
			b.Errorf("got %s", r.body)
		}

		audit := b.do("GET", "/v2/accounts/"+b.master.ID+"/audit", "").want(http.StatusOK).list()
		if entry := audit[0].(map[string]any); entry["object_type"] != "sync" || entry["action"] != "update" || entry["object_id"] != path[len(path)-32:] {
			b.Errorf("audit: got %v", entry)
		}
	})
}

func TestSyncJobProblems(t *testing.T) {
	b := newBench(t)
	other := models.NewID()
	for body, want := range map[string]string{
		`{"rates":1}`:           "rates: additionalProperties",
		`{"filter":{"mac":1}}`:  "filter.mac: additionalProperties",
		`{"rate":0}`:            "rate: minimum",
		`{"rate":1001}`:         "rate: maximum",
		`{"rate":1.5}`:          "rate: type",
		`{"canary":-1}`:         "canary: minimum",
		`{"stop_above":101}`:    "stop_above: maximum",
		`{"patience":0}`:        "patience: minimum",
		`{"come_back":"home"}`:  "come_back: enum",
		`{"event":"a\r\nb: c"}`: "event: pattern",
		`{"filter":{"devices":["` + other + `"]}}`: "filter.devices: not_found",
		`{"filter":{"devices":[]}}`:                "filter.devices: minItems",
	} {
		b.do("PUT", b.syncs(), `{"data":`+body+`}`).rejects(want)
	}
	r := b.do("PUT", b.syncs(), `{"data":{}}`).want(http.StatusCreated)
	path := b.syncs() + "/" + r.id()
	b.do("PATCH", path, `{"data":{"state":"finished"}}`).rejects("state: enum")
	b.do("PATCH", path, `{"data":{"canary":5}}`).rejects("canary: additionalProperties")
	b.do("PATCH", path, `{"data":{}}`).fails(http.StatusBadRequest, "validation error")
	b.do("GET", path+"/items?state=lost", "").rejects("state: enum")
	for _, path := range []string{b.syncs() + "/" + other, b.syncs() + "/x"} {
		b.do("GET", path, "").fails(http.StatusNotFound, "bad_identifier")
		b.do("PATCH", path, `{"data":{"state":"paused"}}`).fails(http.StatusNotFound, "bad_identifier")
		b.do("GET", path+"/items", "").fails(http.StatusNotFound, "bad_identifier")
	}
	for range 19 {
		b.do("PUT", b.syncs(), `{"data":{}}`).want(http.StatusCreated)
	}
	b.do("PUT", b.syncs(), `{"data":{}}`).fails(http.StatusTooManyRequests, "too_many_requests")
	b.do("PATCH", path, `{"data":{"state":"cancelled"}}`).want(http.StatusOK)
	b.do("PUT", b.syncs(), `{"data":{}}`).want(http.StatusCreated)

	child, key := b.account("Child", "child.example.com", b.master)
	token := b.login(key)
	b.as(token, "GET", path, "").fails(http.StatusForbidden, "forbidden")
	b.as(token, "GET", "/v2/accounts/"+child.ID+"/syncs/"+path[len(path)-32:], "").fails(http.StatusNotFound, "bad_identifier")
}

func TestSyncJobLists(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		var ids, devices []string
		for range 3 {
			ids = append([]string{b.do("PUT", b.syncs(), `{"data":{}}`).want(http.StatusCreated).id()}, ids...)
			path := b.device(`{"name":"a"}`)
			devices = append(devices, path[len(path)-32:])
			time.Sleep(2 * time.Millisecond) // jobs are ordered by their times
		}
		walk := func(path, name string) []string {
			var got []string
			for key := ""; ; {
				sep := map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")]
				r := b.do("GET", path+sep+"page_size=2&start_key="+key, "").want(http.StatusOK)
				for _, one := range r.list() {
					got = append(got, one.(map[string]any)[name].(string))
				}
				if key, _ = r.envelope["next_start_key"].(string); key == "" {
					return got
				}
			}
		}
		if diff := cmp.Diff(ids, walk(b.syncs(), "id")); diff != "" {
			b.Errorf("jobs (-want +got):\n%s", diff)
		}
		b.do("GET", b.syncs()+"?start_key=x", "").fails(http.StatusNotFound, "faulty_request")

		j, err := b.store.SyncJob(b.Context(), b.master.ID, ids[0])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := b.store.LeaseSyncJobs(b.Context(), "r", time.Minute, 9); err != nil {
			b.Fatal(err)
		}
		if _, err := b.store.PrepareSyncJob(b.Context(), j, "r", 9); err != nil {
			b.Fatal(err)
		}
		if err := b.store.SkipSyncItem(b.Context(), j.ID, devices[1], "in sync"); err != nil {
			b.Fatal(err)
		}
		if got := walk(b.syncs()+"/"+j.ID+"/items", "device_id"); len(got) != 3 {
			b.Errorf("got %q", got)
		}
		r := b.do("GET", b.syncs()+"/"+j.ID+"/items?state=skipped", "").want(http.StatusOK)
		want := fmt.Sprintf(`[{"device_id":%q,"state":"skipped","reason":"in sync","told":null,"fetched":null,"registered":null,"came_back_after":null}]`, devices[1])
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.list())); diff != "" {
			b.Error(diff)
		}
		if r := b.do("GET", b.syncs()+"/"+j.ID, "").want(http.StatusOK); fmt.Sprintf("%v %v %v %v", r.at("progress"), r.at("total"), r.at("counts.skipped"), r.at("state")) != "33 3 1 running" {
			b.Errorf("got %s", r.body)
		}

		// They go with their account.
		child, _ := b.account("Child", "child.example.com", b.master)
		b.do("PUT", "/v2/accounts/"+child.ID+"/syncs", `{"data":{}}`).want(http.StatusCreated)
		b.do("DELETE", "/v2/accounts/"+child.ID, "").want(http.StatusOK)
		if got, err := b.store.SyncJobs(b.Context(), child.ID, nil, 9); err != nil || len(got) > 0 {
			b.Errorf("of a deleted account: got %v, %v", got, err)
		}
	})
}
