package api

import "github.com/gin-gonic/gin"

// Routes lists every route of the API as "METHOD /path/:parameter".
func Routes() []string {
	engine := gin.New()
	(&server{}).addRoutes(engine)
	var out []string
	for _, route := range engine.Routes() {
		out = append(out, route.Method+" "+route.Path)
	}
	return out
}
