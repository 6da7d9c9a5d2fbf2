package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
)

// logRequest writes one line a request. It names the route, never the query
// string, headers or bodies, where tokens and passwords are.
func (s *server) logRequest(c *gin.Context) {
	c.Next()
	r := requestOf(c)
	level := slog.LevelInfo
	if !strings.HasPrefix(r.path, "/v") {
		level = slog.LevelDebug // probes
	}
	attrs := []slog.Attr{
		slog.String("method", c.Request.Method),
		slog.String("route", c.FullPath()),
		slog.Int("status", c.Writer.Status()),
		slog.Duration("duration", s.Now().Sub(r.started)),
		slog.String("request_id", r.id),
		slog.String("remote", r.source.String()),
	}
	if r.account != nil {
		attrs = append(attrs, slog.String("account", r.account.ID))
	}
	s.Log.LogAttrs(c.Request.Context(), level, "request", attrs...)
	if s.Observe != nil {
		s.Observe(r.verb, c.FullPath(), c.Writer.Status(), s.Now().Sub(r.started))
	}
}

// recoverPanic answers 500 and logs what happened.
func (s *server) recoverPanic(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, isErr := p.(error); isErr && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		r := requestOf(c)
		err := fmt.Errorf("panic: %v", p)
		s.Log.ErrorContext(c.Request.Context(), "panic", "request_id", r.id, "err", err, "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // an honest half answer is impossible
		}
		s.writeError(c, r, err)
	}()
	c.Next()
}

// LoginCost is what a login costs a Meter: guessing is slow. Other requests cost 1.
const LoginCost = 35

// charge takes what a request costs from the account of its token, or from its
// address when it has no valid one: nobody's account pays for a token that was
// made up.
func (s *server) charge(c *gin.Context) {
	r := requestOf(c)
	cost := costOf(r, c.FullPath())
	if s.Meter == nil || cost == 0 {
		return
	}
	account := ""
	if s.readToken(c.Request.Context(), r) == nil {
		account = r.login.AccountID
	}
	if wait, ok := s.Meter.Charge(account, r.source, cost); !ok {
		s.writeError(c, r, &emptyError{wait})
		c.Abort()
	}
}

// costOf is nothing for what needs neither token nor database.
func costOf(r *request, route string) int {
	switch {
	case !strings.HasPrefix(r.path, "/v2") || r.verb == http.MethodOptions:
		return 0
	case route == "/v2/api_auth", route == "/v2/user_auth", route == "/v2/user_auth/recovery":
		return LoginCost
	}
	return 1
}

// allowOrigin lets scripts of any web page call the API: what counts is the
// token, and no cookie is ever looked at.
func allowOrigin(h http.Header, r *request) {
	if r.header.Get("Origin") == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Content-Type, X-Auth-Token, X-Request-ID, Location, ETag")
}

// options answers OPTIONS of a path, which needs no token.
func options(allowed string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Allow", allowed)
		if c.GetHeader("Origin") != "" {
			c.Header("Access-Control-Allow-Methods", allowed)
			c.Header("Access-Control-Allow-Headers",
				"Content-Type, Depth, User-Agent, X-Http-Method-Override, X-File-Size, X-Requested-With, If-Modified-Since, "+
					"X-File-Name, Cache-Control, X-Auth-Token, Authorization, If-Match, If-None-Match, X-Request-ID, X-Pretty-Print")
			c.Header("Access-Control-Max-Age", "86400")
		}
		c.Status(http.StatusOK)
	}
}
