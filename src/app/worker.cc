#include "app/worker.h"

namespace cromford::app {

int worker_main(std::string_view kind) {
  return flow::run_worker(kind, {{"import", import_rows},
                                 {"compact", compact_log},
                                 {"train", train_model},
                                 {"evaluate", evaluate_model},
                                 {"score", score_rows},
                                 {"outcomes", read_outcomes},
                                 {"choose", choose_window},
                                 {"judge", judge_candidate},
                                 {"query", query_rows}});
}

}  // namespace cromford::app
