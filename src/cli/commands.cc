// The table of all commands. It is data: what a command is called, what it takes, and how it is
// used; the work stands in the *_commands.cc files.

#include <algorithm>
#include <utility>

#include "cli/grammar.h"
#include "cli/handlers.h"

namespace cromford::cli {
namespace {

constexpr std::string_view kNameV = "NAME[@V]";
constexpr std::string_view kLists =
    "--filter takes conditions joined by AND, such as "
    "\"state=failed\" or \"row_count>1000\".";

std::vector<Flag> list_flags() {
  return {
      {"--filter", "CONDITIONS", "only those that fulfil all conditions"},
      {"--order-by", "FIELDS", "e.g. \"created_at desc, name\""},
      {"--limit", "N", "at most so many", WordKind::kInteger},
  };
}

Flag detach(std::string_view what) {
  return {"--detach", "", what};
}

// A command that lists things.
Command list_command(std::string_view path, std::string_view summary, std::vector<Example> examples,
                     Handler handler) {
  return {path, summary, {}, list_flags(), std::move(examples), kLists, handler};
}

// A command that takes one word and no flags.
Command one_word(std::string_view path, std::string_view summary, Positional word,
                 std::vector<Example> examples, Handler handler) {
  return {path, summary, {std::move(word)}, {}, std::move(examples), {}, handler};
}

std::vector<Command> server_commands() {
  return {
      {"server",
       "run the factory: the HTTP API, its jobs and endpoints",
       {},
       {{"--listen", "HOST:PORT", "where to listen (127.0.0.1:7040); port 0 picks a free one"},
        {"--config", "FILE", "a YAML file of settings", WordKind::kFile}},
       {{"server", "on this machine only, with the home ~/.cromford"},
        {"--home /srv/factory server --listen 127.0.0.1:0", "another home, any free port"},
        {"server --listen 0.0.0.0:7040 --config factory.yaml",
         "for others too; the file must set a token"}},
       "Prints one line once it is ready: listening http=HOST:PORT. Ctrl-C stops it gracefully."},
      {"status",
       "what runs on this home",
       {},
       {},
       {{"status", "version, uptime, endpoints, jobs, disk"},
        {"--json status", "the same for a script"}},
       {},
       show_status},
  };
}

Command dataset_add_command() {
  return {
      "dataset add",
      "a new version from files, a URL or standard input",
      {{"NAME"}, {"FILE|URL|-", WordKind::kFile, true, true}},
      {{"--format",
        "FORMAT",
        "where the name does not tell",
        WordKind::kText,
        false,
        false,
        {"csv", "tsv", "json", "jsonl", "parquet", "arff"}},
       {"--query", "SQL", "shape the rows; the files are the table `input`"},
       {"--append", "", "add the rows to those of the newest version"},
       {"--key", "COLUMNS", "columns (a,b) that must identify a row, also among those there"},
       {"--checks", "FILE", "rules for the rows, a list in YAML or JSON", WordKind::kFile},
       detach("print the job's id and do not wait")},
      {{"dataset add orders orders.csv", "types, separators and dates are found"},
       {"dataset add orders may.csv june.csv --append", "more rows, a new version"},
       {"dataset add late flights.parquet --query \"select *, delay >= 15 as late from input\"",
        "shaped by SQL"},
       {"zcat log.csv.gz | cromford dataset add log - --checks rules.yaml",
        "from a pipe, checked"}},
      "Rows that cannot be read go to quarantine with their reason. The same rows as those of the "
      "newest version make no new one.",
      dataset_add};
}

std::vector<Command> dataset_commands() {
  return {
      dataset_add_command(),
      list_command("dataset list", "all datasets",
                   {{"dataset list", "newest versions with rows and sizes"},
                    {"dataset list --filter \"row_count>100000\" --order-by \"updated_at desc\"",
                     "large ones, newest first"}},
                   dataset_list),
      one_word(
          "dataset show", "schema, profile, checks, parents of a version",
          {kNameV, WordKind::kDataset},
          {{"dataset show orders", "the newest version"}, {"dataset show orders@1", "the first"}},
          dataset_show),
      {"dataset rows",
       "look at rows",
       {{kNameV, WordKind::kDataset}},
       {{"--limit", "N", "how many (20)", WordKind::kInteger},
        {"--offset", "N", "leave out the first", WordKind::kInteger},
        {"--where", "SQL", "only rows that fulfil the condition"},
        {"--quarantine", "", "the rows that could not be taken, with reasons"}},
       {{"dataset rows orders --where \"amount > 1000\" --limit 5", "some large orders"},
        {"dataset rows orders --quarantine", "what was set aside, and why"}},
       {},
       dataset_rows},
      {"dataset diff",
       "what changed between two versions",
       {{"NAME@V1", WordKind::kDataset}, {"NAME@V2", WordKind::kDataset}},
       {},
       {{"dataset diff orders@1 orders@2", "rows, columns, distributions"}},
       {},
       dataset_diff},
      {"dataset export",
       "write a version to a file",
       {{kNameV, WordKind::kDataset}, {"FILE", WordKind::kFile}},
       {{"--format",
         "FORMAT",
         "where the name does not tell",
         WordKind::kText,
         false,
         false,
         {"csv", "jsonl", "parquet"}},
        {"--where", "SQL", "only rows that fulfil the condition"}},
       {{"dataset export orders orders.parquet", "all rows, format by the name"},
        {"dataset export orders@2 - --where \"country = 'DE'\"", "CSV to standard output"}},
       {},
       dataset_export},
      one_word(
          "dataset delete", "delete a dataset with all its versions", {"NAME", WordKind::kDataset},
          {{"dataset delete orders", "asks first"}, {"--yes dataset delete orders", "for scripts"}},
          dataset_delete),
  };
}

std::vector<Command> train_commands() {
  return {
      {"train",
       "find and train the best model for a column",
       {{"DATASET[@V]", WordKind::kDataset}},
       {{"--target", "COLUMN", "what to predict", WordKind::kText, false, true},
        {"--model", "NAME", "what to call the model (the dataset and target by default)"},
        {"--where", "SQL", "train on rows that fulfil the condition"},
        {"--task",
         "TASK",
         "found from the target by default",
         WordKind::kText,
         false,
         false,
         {"binary", "multiclass", "regression"}},
        {"--metric", "METRIC", "what to judge by, e.g. auc, log_loss, rmse"},
        {"--time", "DURATION", "how long to search (60s)", WordKind::kDuration},
        {"--memory", "SIZE", "how much memory to use (4GiB)", WordKind::kSize},
        {"--trials", "N", "count the work instead of timing it: the same model every time",
         WordKind::kInteger},
        {"--seed", "N", "for all that is random (0)", WordKind::kInteger},
        {"--time-column", "COLUMN", "train on the past, test on what comes after"},
        {"--group-column", "COLUMN", "keep the rows of a group on one side of each split"},
        {"--weight", "COLUMN", "how much each row counts"},
        {"--ignore", "COLUMNS", "columns (a,b) that must not be used", WordKind::kText, true},
        {"--learners", "LIST", "only these: linear,boosting"},
        detach("print the job's id and do not wait")},
       {{"train orders --target returned", "everything else is found"},
        {"train late --target late --time-column date --time 5m", "five minutes, split by time"},
        {"train houses@2 --target price --metric mae --ignore id,notes", "judged by mean error"},
        {"train late --target late --trials 20 --seed 7", "the same model on every machine"}},
       "Ctrl-C stops the search, keeps the best model so far and ends with 130; a second one "
       "quits.",
       train},
      list_command("run list", "all training runs",
                   {{"run list --limit 10", "the latest"},
                    {"run list --filter \"state=failed\"", "failures"}},
                   run_list),
      one_word("run show", "leaderboard, metrics and warnings of a run", {"ID", WordKind::kRun},
               {{"run show 01k9z3m8v7", "the id is in `run list`"}}, run_show),
      one_word("run cancel", "stop a run and keep its best model", {"ID", WordKind::kRun},
               {{"run cancel 01k9z3m8v7", "the id is in `run list`"}}, run_cancel),
  };
}

Command predict_command() {
  return {
      "predict",
      "score a file or a dataset, of any size",
      {},
      {{"--model", "NAME[@V]", "the model to ask", WordKind::kModel},
       {"--endpoint", "NAME", "or the champion of an endpoint", WordKind::kEndpoint},
       {"--input", "FILE", "the rows: CSV, JSON, Parquet; - is standard input", WordKind::kFile},
       {"--dataset", "NAME[@V]", "or the rows of a dataset", WordKind::kDataset},
       {"--where", "SQL", "with --dataset: only rows that fulfil the condition"},
       {"--output", "FILE", "CSV or Parquet by its name; - is standard output", WordKind::kFile,
        false, true},
       {"--explain", "K", "add the K strongest reasons of each row", WordKind::kInteger},
       {"--unknown",
        "WHAT",
        "what to do with columns that the model does not know (refuse)",
        WordKind::kText,
        false,
        false,
        {"refuse", "ignore"}}},
      {{"predict --model late --input new.csv --output scored.csv", "one line for each row"},
       {"predict --endpoint late --input new.parquet --output scored.parquet --explain 3",
        "with reasons"},
       {"predict --model late --dataset flights --where \"date > '2001-06-30'\" --output -",
        "to standard output"}},
      {},
      predict};
}

std::vector<Command> model_commands() {
  return {
      list_command("model list", "all models", {{"model list", "names, tasks, newest versions"}},
                   model_list),
      one_word("model show", "columns, metrics, lineage of a version", {kNameV, WordKind::kModel},
               {{"model show late", "the newest version"}, {"model show late@3", "the third"}},
               model_show),
      {"model card",
       "the model's card, for people",
       {{kNameV, WordKind::kModel}},
       {{"--format",
         "FORMAT",
         "md (default), json or html",
         WordKind::kText,
         false,
         false,
         {"md", "json", "html"}}},
       {{"model card late", "as text"}, {"model card late@3 --format html > late.html", "a page"}},
       {},
       model_card},
      {"model evaluate",
       "measure a version on a dataset",
       {{kNameV, WordKind::kModel}, {"DATASET[@V]", WordKind::kDataset}},
       {{"--where", "SQL", "only rows that fulfil the condition"},
        {"--prediction-column", "COLUMN",
         "judge the probabilities or values in this column instead of asking the model"}},
       {{"model evaluate late flights --where \"date >= '2001-02-01'\"", "on another month"},
        {"model evaluate late answered --prediction-column probability",
         "judge predictions that were made elsewhere"}},
       {},
       model_evaluate},
      {"model export",
       "write a version's package to a file",
       {{kNameV, WordKind::kModel}, {"FILE", WordKind::kFile}},
       {},
       {{"model export late@3 late@3.cromford", "everything a server needs to predict"}},
       {},
       model_export},
      {"model import",
       "a new version from a package file",
       {{"FILE", WordKind::kFile}},
       {{"--model", "NAME", "what to call it (the file's name by default)", WordKind::kModel}},
       {{"model import late@3.cromford", "as model `late`"},
        {"model import package.bin --model late", "under a name of your choice"}},
       "Every byte of the package is checked.",
       model_import},
      one_word("model delete", "delete a model with all its versions", {"NAME", WordKind::kModel},
               {{"model delete late", "asks first"}, {"--yes model delete late", "for scripts"}},
               model_delete),
      predict_command(),
  };
}

Command decision_command(std::string_view path, std::string_view summary,
                         std::vector<Example> examples, Handler handler) {
  return {path,
          summary,
          {{"NAME", WordKind::kEndpoint}},
          {{"--evidence", "HASH", "what was looked at; by default what waits now"},
           {"--note", "TEXT", "why, for the history"}},
          std::move(examples),
          "The decision is bound to the evidence: it is refused where another one waits by now.",
          handler};
}

std::vector<Command> loop_commands() {
  return {
      {"endpoint retrain",
       "ask for a successor now",
       {{"NAME", WordKind::kEndpoint}},
       {{"--reason", "TEXT", "why, for the history"}},
       {{"endpoint retrain late", "it is trained on the log, judged, and rolled out"}},
       "What it must prove and how it gets the traffic is said by the policy.",
       endpoint_retrain},
      decision_command("endpoint approve", "say yes to the candidate that waits",
                       {{"endpoint approve late --note \"checked\"", "the rollout begins"}},
                       endpoint_approve),
      decision_command("endpoint reject", "say no to the candidate that waits",
                       {{"endpoint reject late --note \"not before Easter\"", "it ends here"}},
                       endpoint_reject),
      one_word("endpoint history", "what the loop did, and why", {"NAME", WordKind::kEndpoint},
               {{"endpoint history late", "every step with its reason"}}, endpoint_history),
      {"endpoint policy",
       "show the policy of an endpoint, or replace it",
       {{"NAME", WordKind::kEndpoint}},
       {{"--file", "FILE", "the new policy, as JSON", WordKind::kFile}},
       {{"endpoint policy late", "defaults included"},
        {"endpoint policy late --file policy.json", "replaces the whole"}},
       {},
       endpoint_policy},
  };
}

std::vector<Command> endpoint_commands() {
  return {
      {"deploy",
       "serve a model version under a name",
       {{"MODEL[@V]", WordKind::kModel}},
       {{"--endpoint", "NAME", "where (the model's name by default)", WordKind::kEndpoint},
        {"--strategy",
         "STRATEGY",
         "all traffic at once (direct), a share (canary), none (shadow)",
         WordKind::kText,
         false,
         false,
         {"direct", "shadow", "canary"}},
        {"--percent", "P", "canary: the share of the traffic", WordKind::kNumber}},
       {{"deploy late", "the newest version, as endpoint `late`"},
        {"deploy late@4 --endpoint late --strategy canary --percent 10", "ten in a hundred first"},
        {"deploy late@4 --endpoint late --strategy shadow", "answers are made, but not given"}},
       {},
       deploy},
      list_command("endpoint list", "all endpoints",
                   {{"endpoint list", "what is served, with its traffic"}}, endpoint_list),
      one_word("endpoint show", "variants, weights and traffic", {"NAME", WordKind::kEndpoint},
               {{"endpoint show late", "who answers, and how often"}}, endpoint_show),
      {"endpoint split",
       "divide the traffic over versions",
       {{"NAME", WordKind::kEndpoint}, {"V=WEIGHT", WordKind::kText, true, true}},
       {},
       {{"endpoint split late 3=90 4=10", "ten in a hundred to version 4"}},
       {},
       endpoint_split},
      one_word(
          "endpoint promote", "make the challenger the champion", {"NAME", WordKind::kEndpoint},
          {{"endpoint promote late", "all traffic to the canary or shadow"}}, endpoint_promote),
      one_word("endpoint rollback", "back to the champion before", {"NAME", WordKind::kEndpoint},
               {{"endpoint rollback late", "undoes a promotion or a deployment"}},
               endpoint_rollback),
      {"endpoint log",
       "write predictions with their outcomes to a file",
       {{"NAME", WordKind::kEndpoint}},
       {{"--from", "TIME", "the first event time, e.g. 2001-02-01"},
        {"--to", "TIME", "the first event time that is no more meant"},
        {"--output", "FILE", "CSV, JSON lines or Parquet by its name; - is standard output",
         WordKind::kFile, false, true}},
       {{"endpoint log late --output late.csv", "everything that is kept"},
        {"endpoint log late --from 2001-02-01 --to 2001-03-01 --output february.parquet",
         "a month"}},
       {},
       endpoint_log},
      one_word("endpoint compact", "bring the dataset NAME-log up to date",
               {"NAME", WordKind::kEndpoint},
               {{"endpoint compact late", "then: dataset rows late-log"}}, endpoint_compact),
      one_word(
          "endpoint delete", "stop serving a name", {"NAME", WordKind::kEndpoint},
          {{"endpoint delete late", "asks first"}, {"--yes endpoint delete late", "for scripts"}},
          endpoint_delete),
  };
}

std::vector<Command> monitor_commands() {
  return {
      {"monitor show",
       "what the windows of an endpoint say: traffic, errors, drift",
       {{"ENDPOINT", WordKind::kEndpoint}},
       {{"--from", "TIME", "in the first window, e.g. 2001-02-01 (31 windows back)"},
        {"--to", "TIME", "the end of the last window"},
        {"--window", "LENGTH", "1h, 1d, 7d (1d)", WordKind::kDuration},
        {"--watch", "", "look again every five seconds, until Ctrl-C"}},
       {{"monitor show late", "the last 31 days"},
        {"monitor show late --from 2001-02-01 --to 2001-03-01 --window 7d", "a month by weeks"}},
       "Windows go by the event time of predictions. A drift is confirmed when the same column, or "
       "the prediction, moved in two windows in a row.",
       monitor_show},
      {"alert list",
       "what is off, since when, and what to do",
       {},
       list_flags(),
       {{"alert list", "what is firing or acknowledged"},
        {"alert list --filter state=resolved", "what is over"}},
       "Without --filter only alerts that are not resolved.",
       alert_list},
      one_word("alert ack", "say that somebody looks after an alert", {"ID"},
               {{"alert ack 01hv3k5q9w8x7c6b5n4m3l2k1j", "it stays open until it is resolved"}},
               alert_ack),
  };
}

std::vector<Command> outcome_commands() {
  return {
      {"outcome add",
       "tell an endpoint what really happened",
       {{"ENDPOINT", WordKind::kEndpoint}, {"FILE|-", WordKind::kFile}},
       {{"--format",
         "FORMAT",
         "where the name does not tell",
         WordKind::kText,
         false,
         false,
         {"csv", "tsv", "json", "jsonl", "parquet"}}},
       {{"outcome add late landed.csv", "columns id and value and, where it is known when, at"},
        {"zcat may.csv.gz | cromford outcome add late -", "from a pipe"}},
       "An outcome may come before its prediction, days after it, or twice: the later `at` counts.",
       outcome_add},
  };
}

std::vector<Command> pipeline_commands() {
  return {
      one_word("pipeline apply", "check a pipeline file and store it", {"FILE", WordKind::kFile},
               {{"pipeline apply line.yaml", "an error names line and key, and changes nothing"}},
               pipeline_apply),
      list_command("pipeline list", "all pipelines", {{"pipeline list", "what is declared"}},
                   pipeline_list),
      one_word("pipeline show", "the file as it was applied", {"NAME", WordKind::kPipeline},
               {{"pipeline show flights-late > line.yaml", "to edit and apply again"}},
               pipeline_show),
      {"pipeline run",
       "run what is not up to date",
       {{"NAME", WordKind::kPipeline}},
       {detach("print the job's id and do not wait")},
       {{"pipeline run flights-late", "steps with unchanged inputs are skipped"}},
       {},
       pipeline_run},
      {"pipeline history",
       "earlier runs, step by step",
       {{"NAME", WordKind::kPipeline}},
       list_flags(),
       {{"pipeline history flights-late --limit 5", "the latest five"}},
       kLists,
       pipeline_history},
      one_word("pipeline delete", "forget a pipeline, not what it made",
               {"NAME", WordKind::kPipeline}, {{"pipeline delete flights-late", "asks first"}},
               pipeline_delete),
      list_command("job list", "what runs or ran in the background",
                   {{"job list --filter \"state=running\"", "what runs now"}}, job_list),
      one_word("job show", "state, progress, result or error", {"ID", WordKind::kJob},
               {{"job show 01k9z3m8v7", "the id is in `job list`"}}, job_show),
      one_word("job cancel", "stop a job", {"ID", WordKind::kJob},
               {{"job cancel 01k9z3m8v7", "nothing of it stays, but for training's best model"}},
               job_cancel),
      one_word("job log", "what a job wrote", {"ID", WordKind::kJob},
               {{"job log 01k9z3m8v7", "its progress and its last words"}}, job_log),
  };
}

std::vector<Command> audit_commands() {
  std::vector<Flag> list = list_flags();
  list.insert(list.begin(), {{"--object", "OBJECT", "of this one, e.g. endpoint/late"},
                             {"--actor", "ACTOR", "by owner, user, loop or server"},
                             {"--from", "TIME", "the first time"},
                             {"--to", "TIME", "the first time that is no more meant"},
                             {"--at", "TIME", "what was true of the object then, and why"}});
  return {
      {"audit list",
       "who did what, when and why; what was true at a time",
       {},
       std::move(list),
       {{"audit list", "the newest first"},
        {"audit list --object endpoint/late --at 2026-02-01T14:02:00Z",
         "which version served then, by whom, trained on what, with which checks"}},
       {},
       audit_list},
      {"audit checkpoint",
       "the signed size and root of the log, to be kept elsewhere",
       {},
       {},
       {{"audit checkpoint > /mnt/worm/checkpoint", "and the public key on standard error"},
        {"--json audit checkpoint", "with the key, for a script"}},
       {},
       audit_checkpoint},
      one_word("audit export", "write the whole log as a file that proves itself",
               {"FILE", WordKind::kFile},
               {{"audit export audit.txt", "with its checkpoint"},
                {"audit export -", "to standard output"}},
               audit_export),
      {"audit verify",
       "prove that nothing was changed, removed, swapped or cut off",
       {{"FILE", WordKind::kFile, false}},
       {{"--checkpoint", "FILE", "an older checkpoint that the log must extend", WordKind::kFile},
        {"--key", "KEY", "the public key that the log must have"}},
       {{"audit verify", "the log of this home"},
        {"audit verify audit.txt --checkpoint old.txt", "needs no server and no home"}},
       "Ends with 3 where the log does not hold.",
       audit_verify},
      {"lineage",
       "what a thing rests on down to the sources, and what rests on it",
       {{"OBJECT"}},
       {},
       {{"lineage prediction/late/order-17", "its version, run, rows and files"},
        {"lineage dataset/flights@3", "the runs, models and endpoints that rest on it"}},
       "OBJECT is prediction/ENDPOINT/ID, endpoint/NAME, model/NAME[@V], run/ID or "
       "dataset/NAME[@V].",
       lineage},
  };
}

std::vector<Command> other_commands() {
  return {
      {"demo",
       "a real example, from raw data to a served prediction",
       {{"NAME", WordKind::kText, false}},
       {{"--data", "FILE", "where the example's raw file is", WordKind::kFile},
        {"--time", "DURATION", "how long to train (the pipeline file's 60s)", WordKind::kDuration},
        {"--rows", "N", "send at most so many of February's rows", WordKind::kInteger},
        {"--february-only", "", "end before the closed loop"},
        {"--report", "FOLDER", "write the table, the plot and the timeline there",
         WordKind::kFile}},
       {{"demo", "what there is"},
        {"demo flights", "three million flights: which ones will be late?"},
        {"--home /tmp/try demo flights --time 20s", "quicker, in a home of its own"}},
       "A demo only does what a user can do by the other commands.",
       demo},
      {"completion",
       "the script that completes commands in a shell",
       {{"SHELL", WordKind::kText, true, false, {"bash", "zsh", "fish"}}},
       {},
       {{"completion bash > ~/.local/share/bash-completion/completions/cromford", "bash"},
        {"completion zsh > ~/.zfunc/_cromford", "zsh, with that folder in fpath"},
        {"completion fish > ~/.config/fish/completions/cromford.fish", "fish"}}},
      {"version", "the program's version", {}, {}, {{"version", "the same as --version"}}},
      {"worker", "", {{"KIND", WordKind::kText, false}}, {}, {}, {}, nullptr, true},
      {"__complete", "", {{"WORD", WordKind::kText, false, true}}, {}, {}, {}, nullptr, true},
  };
}

std::vector<Command> make_commands() {
  std::vector<Command> all;
  for (auto make : {server_commands, dataset_commands, train_commands, model_commands,
                    endpoint_commands, loop_commands, outcome_commands, monitor_commands,
                    pipeline_commands, audit_commands, other_commands}) {
    std::vector<Command> part = make();
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> kAll = make_commands();
  return kAll;
}

std::span<const Flag> global_flags() {
  static const std::vector<Flag> kFlags = {
      {"--home", "DIR", "the data directory (CROMFORD_HOME, else ~/.cromford)", WordKind::kFile},
      {"--url", "URL", "a distant server instead (CROMFORD_URL)"},
      {"--project", "NAME", "the project (CROMFORD_PROJECT, else default)", WordKind::kProject},
      {"--token", "TOKEN", "what proves who you are (CROMFORD_TOKEN)"},
      {"--json", "", "one JSON document on standard output: the API's own answer"},
      {"--quiet", "", "no notes and no progress"},
      {"--yes", "", "do not ask"},
      {"--help", "", "explain a command"},
      {"--version", "", "the program's version"},
  };
  return kFlags;
}

std::string_view group_summary(std::string_view group) {
  static constexpr std::pair<std::string_view, std::string_view> kSummaries[] = {
      {"dataset", "versions of rows: add, look, compare, write out"},
      {"run", "training runs and their trials"},
      {"model", "models, their versions, cards and packages"},
      {"endpoint", "what is served, and by which versions"},
      {"monitor", "what is watched over an endpoint"},
      {"alert", "what is off with endpoints"},
      {"pipeline", "the whole line, declared in one file"},
      {"job", "everything that runs in the background"},
      {"audit", "who did what, and the proof of it"},
  };
  const auto* const found = std::find_if(std::begin(kSummaries), std::end(kSummaries),
                                         [&](const auto& entry) { return entry.first == group; });
  return found == std::end(kSummaries) ? std::string_view() : found->second;
}

}  // namespace cromford::cli
