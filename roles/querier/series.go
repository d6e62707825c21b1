package querier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"statnet/internal/cli"
	"statnet/stat"
)

// series asks one question per hour of the window, one after the other. Each is
// registered, answered and opened by itself and costs an opening. An hour
// that cannot be answered is shown as such; a failed check ends the series.
func (q *Querier) series(ctx context.Context, ask Ask) (*Answer, error) {
	window, err := Snap(ask.From, ask.To, q.Now())
	if err != nil {
		return nil, err
	}
	hours, err := stat.Hours(window.From, window.To)
	if err != nil {
		return nil, cli.Usagef("statnet query --help", "--stat series: %v", err)
	}
	var last *Answer
	var lastErr error
	results := make([]*stat.Result, len(hours))
	partial := false
	for i, h := range hours {
		hour := ask
		hour.From, hour.To = time.Unix(h.From, 0), time.Unix(h.To, 0)
		a, err := q.one(ctx, hour)
		if cli.CodeOf(err) == cli.Unavailable {
			lastErr, partial = err, true
			continue
		}
		if err != nil {
			return nil, err
		}
		partial = partial || a.Partial()
		results[i], last = &a.Result, a
	}
	if last == nil {
		return nil, errors.Join(lastErr)
	}
	joined, err := stat.Join(hours, results)
	if err != nil {
		return nil, failed("series", "joined hours", err)
	}
	joined.Notes = append(joined.Notes, fmt.Sprintf(
		"%d questions, one an hour; query, providers, checkpoint and time are those of the last one answered", len(hours)))
	out := *last
	out.Result, out.Window, out.Ask, out.Hours, out.partial = joined, window, ask, len(hours), partial
	return &out, nil
}
