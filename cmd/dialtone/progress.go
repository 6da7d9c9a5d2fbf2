package main

import (
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// progressReport is the time between lines where there is no terminal.
const progressReport = 5 * time.Second

// A progress shows on standard error how far something is: a bar on a terminal,
// else a line now and then.
type progress struct {
	cmd  *cobra.Command
	bar  *progressbar.ProgressBar // nil: there is no terminal
	last string
	next time.Time
}

func newProgress(cmd *cobra.Command) *progress {
	p := &progress{cmd: cmd}
	if f, isFile := cmd.ErrOrStderr().(*os.File); isFile && isatty.IsTerminal(f.Fd()) {
		p.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(f), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionFullWidth())
	}
	return p
}

// update shows a text, and on a bar how much of the whole is done.
func (p *progress) update(text string, done, total int) {
	if p.bar != nil {
		p.bar.Describe(text)
		p.bar.ChangeMax(max(total, 1))
		_ = p.bar.Set(done) // a terminal that is gone
		return
	}
	if text != p.last && !time.Now().Before(p.next) {
		p.last, p.next = text, time.Now().Add(progressReport)
		p.cmd.PrintErrln(text)
	}
}

func (p *progress) end() {
	if p.bar != nil {
		p.cmd.PrintErrln()
	}
}
