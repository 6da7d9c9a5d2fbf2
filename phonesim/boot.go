package phonesim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"dialtone/models"
	"dialtone/provisioner"
)

// errNoConfig is a boot that found a server but no configuration.
var errNoConfig = errors.New("no configuration file found")

// boot plays the brand's boot sequence once and returns the configuration it
// ended with. Any failure of a file that counts is an error: the phone then
// keeps what it has.
func (p *Phone) boot(ctx context.Context) (settings, error) {
	p.fetch.start()
	defer p.fetch.http.CloseIdleConnections()
	var files [][]setting
	for _, step := range p.script.Boot {
		read, err := p.play(ctx, step)
		if err != nil {
			return nil, err
		}
		files = append(files, read...)
	}
	if len(files) == 0 {
		return nil, errNoConfig
	}
	return merge(files, p.script.Precedence == "first"), nil
}

// play does one step and returns the configuration files it read.
func (p *Phone) play(ctx context.Context, step provisioner.BootStep) ([][]setting, error) {
	agent := p.script.UserAgent
	if step.UserAgent != "" {
		agent = step.UserAgent
	}
	switch {
	case len(step.Index) > 0:
		names, base, err := p.index(ctx, step, agent)
		if err != nil {
			return nil, err
		}
		return p.configs(ctx, base, names, agent)
	case len(step.Config) > 0:
		return p.configs(ctx, p.base, step.Config, agent)
	case step.Head != "":
		return nil, p.optional(ctx, http.MethodHead, []string{step.Head}, agent)
	case step.Put != "":
		return nil, p.optional(ctx, http.MethodPut, []string{step.Put}, agent)
	default:
		return nil, p.optional(ctx, http.MethodGet, step.Get, agent)
	}
}

// index finds which configuration files to fetch, and the URL that their
// names are relative to.
func (p *Phone) index(ctx context.Context, step provisioner.BootStep, agent string) ([]string, *url.URL, error) {
	for _, name := range step.Index {
		at, err := resolve(p.base, name)
		if err != nil {
			return nil, nil, err
		}
		body, err := p.fetch.file(ctx, at, agent)
		if errors.Is(err, models.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		names, err := parseIndex(p.script.Settings.Format, step.Lists, body)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		return names, at, nil
	}
	return step.Otherwise, p.base, nil
}

// configs fetches and reads configuration files; missing ones are left out.
func (p *Phone) configs(ctx context.Context, base *url.URL, names []string, agent string) ([][]setting, error) {
	var files [][]setting
	for _, name := range names {
		at, err := resolve(base, name)
		if err != nil {
			return nil, err
		}
		body, err := p.fetch.file(ctx, at, agent)
		if errors.Is(err, models.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list, unread, err := parseConfig(p.script.Settings.Format, p.rules, body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(at.Path), err)
		}
		if len(unread) > 0 {
			p.out.printf("%s line %d: not name = value, ignored (%d such lines)", path.Base(at.Path), unread[0], len(unread))
		}
		files = append(files, list)
	}
	return files, nil
}

// optional makes requests whose outcome a boot does not depend on: the first
// of the files that exists. Only the end of the context stops it.
func (p *Phone) optional(ctx context.Context, method string, names []string, agent string) error {
	var body []byte
	if method == http.MethodPut {
		body = []byte("boot of " + p.mac.String() + "\n")
	}
	for _, name := range names {
		at, err := resolve(p.base, name)
		if err != nil {
			return err
		}
		a, err := p.fetch.do(ctx, method, at, agent, body)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && a.status < 300 {
			return nil
		}
	}
	return nil
}

// resolve makes the URL of a file, given by a path relative to base or by a
// full URL.
func resolve(base *url.URL, name string) (*url.URL, error) {
	u, err := base.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("file name %q: %w", path.Base(name), withoutURL(err))
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("file %q: this phone fetches by http and https only", path.Base(name))
	}
	if u.User == nil && u.Host == base.Host {
		u.User = base.User
	}
	return u, nil
}

// parseBase reads a provisioning URL: a folder, whether or not it ends in "/".
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, withoutURL(err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("want http://host/path/ or https://host/path/")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
		u.RawPath = ""
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// placeholder matches what a manifest leaves to the phone: "{mac}".
var placeholder = regexp.MustCompile(`\{[A-Za-z0-9_]+\}`)

// expand fills the placeholders of a script in. A file whose name has one that
// there is no value for is left out; elsewhere that is an error.
func expand(script provisioner.PhoneScript, vars map[string]string) (provisioner.PhoneScript, error) {
	var missing string
	fill := func(s string) string {
		filled, lacks := fillIn(s, vars)
		missing = cmp.Or(missing, lacks)
		return filled
	}
	files := func(list []string) []string {
		var filled []string
		for _, name := range list {
			if name, lacks := fillIn(name, vars); lacks == "" {
				filled = append(filled, name)
			}
		}
		return filled
	}
	script.UserAgent, script.SIPUserAgent = fill(script.UserAgent), fill(script.SIPUserAgent)
	script.Boot = slices.Clone(script.Boot)
	for i, step := range script.Boot {
		step.Index, step.Otherwise = files(step.Index), files(step.Otherwise)
		step.Config, step.Get = files(step.Config), files(step.Get)
		step.Head, step.Put, step.UserAgent = fill(step.Head), fill(step.Put), fill(step.UserAgent)
		script.Boot[i] = step
	}
	if missing != "" {
		return script, fmt.Errorf("the phone script says %s, which this model does not have", missing)
	}
	return script, nil
}

// fillIn fills placeholders in; lacks is one that there is no value for.
func fillIn(s string, vars map[string]string) (filled, lacks string) {
	filled = placeholder.ReplaceAllStringFunc(s, func(name string) string {
		value, ok := vars[strings.Trim(name, "{}")]
		if !ok {
			lacks = name
		}
		return value
	})
	return filled, lacks
}
