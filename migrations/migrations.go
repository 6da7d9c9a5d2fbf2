// Package migrations holds the schema as numbered SQL, the only source of it.
// A file NNNNN_name.sql serves both databases; where they differ there is a
// pair NNNNN_name.mysql.sql and NNNNN_name.sqlite.sql, or the one that is
// needed. MySQL commits on every DDL statement, so its files hold one statement
// each.
//
// What is compared with what a client says is VARBINARY on MySQL: its text
// columns take no notice of blanks at the end.
package migrations

import "embed"

// FS holds every migration.
//
//go:embed *.sql
var FS embed.FS
