// Package migrations holds the schema as numbered SQL, the only source of it.
// A file NNNNN_name.sql serves both databases; where they differ there is a
// pair NNNNN_name.mysql.sql and NNNNN_name.sqlite.sql. MySQL commits on every
// DDL statement, so its files hold one statement each.
package migrations

import "embed"

// FS holds every migration.
//
//go:embed *.sql
var FS embed.FS
