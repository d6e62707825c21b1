package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Rows is a result as a table: the same cells become `table` and `csv`.
type Rows struct {
	Head  []string
	Cells [][]string
	Notes []string // lines under the table; not part of csv
}

// Add appends one row, each cell printed with fmt.Sprint.
func (r *Rows) Add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	r.Cells = append(r.Cells, row)
}

// Print writes one result in the format asked for. value is what json and yaml
// encode, so its field names are an interface; rows is what people and
// spreadsheets get.
//
// The result is written at once or not at all: an encoding error leaves w
// untouched.
func Print(w io.Writer, f Format, value any, rows Rows) error {
	var buf bytes.Buffer
	if err := render(&buf, f, value, rows, Colour(w)); err != nil {
		return fmt.Errorf("print result as %s: %w", f, err)
	}
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

func render(w *bytes.Buffer, f Format, value any, rows Rows, colour bool) error {
	switch f {
	case JSON:
		return encodeJSON(w, value)
	case YAML:
		return encodeYAML(w, value)
	case CSV:
		return encodeCSV(w, rows)
	default:
		w.WriteString(renderTable(rows, colour))
		return nil
	}
}

func encodeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // "<3" stays readable; this is not a web page
	return enc.Encode(value)
}

// encodeYAML goes through JSON, so that both formats have the same names, the
// same order and the same exact integers.
func encodeYAML(w io.Writer, value any) error {
	var buf bytes.Buffer
	if err := encodeJSON(&buf, value); err != nil {
		return err
	}
	text, err := yaml.JSONToYAML(buf.Bytes())
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func encodeCSV(w io.Writer, rows Rows) error {
	out := csv.NewWriter(w)
	if len(rows.Head) > 0 {
		if err := out.Write(rows.Head); err != nil {
			return err
		}
	}
	return out.WriteAll(rows.Cells)
}

func renderTable(rows Rows, colour bool) string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	if colour {
		style.Color.Header = text.Colors{text.Bold}
	}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	if len(rows.Head) > 0 {
		t.AppendHeader(tableRow(rows.Head))
	}
	for _, r := range rows.Cells {
		t.AppendRow(tableRow(r))
	}
	var b strings.Builder
	if body := t.Render(); body != "" {
		b.WriteString(body + "\n")
	}
	for _, n := range rows.Notes {
		b.WriteString(n + "\n")
	}
	return b.String()
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	return row
}
