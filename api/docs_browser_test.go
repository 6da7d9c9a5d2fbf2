package api_test

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser opens a tab of a real browser that finds no host but this one.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no browser: apt-get install chromium, or run scripts/test-deps as root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // it sees no page but ours, and root has no sandbox
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	))
	t.Cleanup(cancel)
	return ctx
}

func run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The page of the documentation works in a browser without any other server,
// within its own policy, and shows every operation.
func TestDocsInBrowser(t *testing.T) {
	server := httptest.NewServer(newBench(t).handler)
	t.Cleanup(server.Close)
	doc, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, item := range doc.Paths.Map() {
		operations += len(item.Operations())
	}

	ctx := browser(t)
	console := chromedp.Console(ctx)
	run(t, ctx, chromedp.Steps(
		chromedp.Navigate(server.URL+"/docs"),
		chromedp.WaitVisible(chromedp.CSS(".opblock-summary")),
		chromedp.Click(chromedp.CSS("#operations-Devices-createDevice .opblock-summary-control")),
		chromedp.WaitVisible(chromedp.CSS("#operations-Devices-createDevice .opblock-body")),
	))
	if got := run(t, ctx, chromedp.Evaluate[int](`document.querySelectorAll(".opblock").length`)); got != operations {
		t.Errorf("the page shows %d operations, want %d", got, operations)
	}
	if got := run(t, ctx, chromedp.Evaluate[string](`document.querySelector(".info .title").textContent`)); !strings.Contains(got, "Dialtone") {
		t.Errorf("the title is %q", got)
	}
	loaded := run(t, ctx, chromedp.Evaluate[[]string](`performance.getEntriesByType("resource").map(e => e.name)`))
	if len(loaded) < 4 { // scripts, style sheets, document
		t.Errorf("loaded %q", loaded)
	}
	for _, url := range loaded {
		if !strings.HasPrefix(url, server.URL+"/") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asked for %s", url)
		}
	}

	// From here on the policy is broken, to see that it would be noticed.
	run(t, ctx, chromedp.Evaluate[any](`console.log("loaded");
		document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title = 'inline'"}));
		console.log("broken"); 0`))
	loading, violations := true, 0
	for message, err := range console {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case message.Text == "broken":
			if title := run(t, ctx, chromedp.Title()); violations != 1 || title == "inline" {
				t.Errorf("%d violations of the policy, want 1; title %q", violations, title)
			}
			return
		case message.Text == "loaded":
			loading = false
		case !loading && strings.Contains(message.Text, "Content Security Policy"):
			violations++
		case message.Type == chromedp.ConsoleError || message.Type == chromedp.ConsoleException || message.Type == chromedp.ConsoleWarning:
			t.Errorf("console: %s (%s)", message, message.URL)
		}
	}
}
