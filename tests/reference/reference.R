# The same model fitted by TMB (R, C++, Laplace): figures for tests/test_reference.py and benchmarks.
#
# Run in this folder; needs R with TMB and a C++ compiler (Debian: r-base-core r-cran-tmb g++):
#
#     Rscript reference.R complete     # the models with all 12 scores
#     Rscript reference.R all          # every model with both sizes
#
# Reads lvkit/data/scores.csv itself and shares nothing with lvkit. Writes tmb_<panel>.csv (estimates,
# standard errors) and tmb_<panel>.json (log-likelihood, times). With `--watch` it fits once for each line
# it reads and prints a line of JSON instead of writing files; benchmarks use this.
suppressPackageStartupMessages(library(TMB))

anchors <- c(mathematics = "math_lvl5", instruction = "ifeval",
             commonsense = "hellaswag", reasoning = "bbh")
clip <- 0.0025

options <- commandArgs(trailingOnly = TRUE)
panel <- options[1]
stopifnot(panel %in% c("complete", "all"))
watch <- "--watch" %in% options
here <- dirname(normalizePath(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))))

# -- data -------------------------------------------------------------------------------------------
scores <- read.csv(file.path(here, "..", "..", "lvkit", "data", "scores.csv"))
names_of <- read.csv(file.path(here, "..", "..", "lvkit", "data", "benchmarks.csv"))$benchmark
known <- !is.na(scores$params_b) & !is.na(scores$tokens_t)
measured <- rowSums(!is.na(scores[names_of]))
scores <- scores[known & if (panel == "complete") measured == length(names_of) else measured > 0, ]
s <- log10(scores$params_b)
t <- log10(scores$tokens_t)
features <- scale(cbind(log_params = s, log_tokens = t, "log_params:log_tokens" = s * t),
                  scale = FALSE)
family <- as.integer(factor(scores$family)) - 1L
y <- as.matrix(scores[names_of])
cell <- which(!is.na(y), arr.ind = TRUE)
place <- matrix(-1L, length(names_of), length(anchors))
label <- character(0)
for (j in seq_along(names_of)) for (k in seq_along(anchors)) {
  own <- match(names_of[j], anchors)
  if (is.na(own) || own == k) {
    place[j, k] <- length(label)
    label <- c(label, sprintf("loading[%s, %s]", names_of[j], names(anchors)[k]))
  }
}
anchor_at <- mapply(function(k) place[match(anchors[k], names_of), k], seq_along(anchors))
data <- list(y = pmin(pmax(y[cell], clip), 1 - clip), family = family[cell[, 1]],
             benchmark = cell[, 2] - 1L, x = unname(features[cell[, 1], ]), place = place,
             anchor_at = anchor_at)

# -- start: anchors load 0.5 and the others 0.1, mean logits, size as the only feature ---------------
logit <- qlogis(pmin(pmax(y, 0.02), 0.98))
K <- length(anchors); J <- length(names_of); P <- ncol(features); L <- max(family) + 1
loading <- rep(0.1, length(label))
loading[anchor_at + 1] <- log(0.5)
start <- list(loading = loading, intercept = unname(colMeans(logit, na.rm = TRUE)),
              log_precision = rep(log(30), J), slope = matrix(c(1, rep(0, P - 1)), K, P, byrow = TRUE),
              cholesky = rep(0, K * (K - 1) / 2), alpha = matrix(0, K, L))

# -- fit --------------------------------------------------------------------------------------------
build <- file.path(tempdir(), "build")
cache <- Sys.getenv("LVKIT_TMB_BUILD", build)
dir.create(cache, showWarnings = FALSE, recursive = TRUE)
compiled <- system.time({
  file.copy(file.path(here, "latent_skills.cpp"), cache, overwrite = FALSE)
  compile(file.path(cache, "latent_skills.cpp"), flags = "-O2", framework = "TMBad")
})[["elapsed"]]
dyn.load(dynlib(file.path(cache, "latent_skills")))
openmp(1)

clock <- function(expr) { spent <- system.time(expr); c(spent[["elapsed"]], spent[["user.self"]] + spent[["sys.self"]]) }

fit_once <- function(errors) {
  time_fit <- clock({
    object <- MakeADFun(data, start, random = "alpha", DLL = "latent_skills", silent = TRUE)
    best <- nlminb(object$par, object$fn, object$gr,
                   control = list(iter.max = 2000, eval.max = 3000, rel.tol = 1e-10))
  })
  report <- NULL
  time_errors <- c(NA, NA)
  if (errors) time_errors <- clock(report <- sdreport(object))
  list(object = object, best = best, report = report, fit = time_fit, errors = time_errors)
}

line_of <- function(run) sprintf(
  '{"loglik": %.6f, "fit_seconds": %.4f, "fit_cpu_seconds": %.4f, "error_cpu_seconds": %s, "gradient": %.2e, "evaluations": %d, "message": "%s"}',
  -run$best$objective, run$fit[1], run$fit[2],
  if (is.na(run$errors[2])) "null" else sprintf("%.4f", run$errors[2]),
  max(abs(run$object$gr(run$best$par))), run$best$evaluations[["function"]], run$best$message)

if (watch) {
  cat("ready", compiled, "\n"); flush(stdout())
  input <- file("stdin", "r")
  while (length(readLines(input, 1)) > 0) { cat(line_of(fit_once(FALSE)), "\n"); flush(stdout()) }
  quit("no")
}

run <- fit_once(TRUE)
found <- summary(run$report, "report")
slopes <- outer(names(anchors), colnames(features), function(k, p) sprintf("slope[%s, %s]", k, p))
pairs <- unlist(lapply(2:K, function(k) sapply(seq_len(k - 1), function(h)
  sprintf("correlation[%s, %s]", names(anchors)[h], names(anchors)[k]))))
parameter <- c(label, sprintf("intercept[%s]", names_of), sprintf("precision[%s]", names_of),
               as.vector(slopes), pairs)
table <- data.frame(parameter, estimate = signif(found[, 1], 9), std_error = signif(found[, 2], 7))
write.csv(table, file.path(here, sprintf("tmb_%s.csv", panel)), row.names = FALSE, quote = TRUE)
writeLines(sprintf(
  '{\n  "models": %d,\n  "families": %d,\n  "scores": %d,\n  "parameters": %d,\n  "laplace_loglik": %.6f,\n  "largest_gradient": %.1e,\n  "positive_definite": %s,\n  "tmb": "%s",\n  "r": "%s"\n}',
  nrow(scores), L, length(data$y), nrow(table), -run$best$objective,
  max(abs(run$object$gr(run$best$par))), if (run$report$pdHess) "true" else "false",
  packageVersion("TMB"), paste(R.version$major, R.version$minor, sep = ".")),
  file.path(here, sprintf("tmb_%s.json", panel)))
cat(line_of(run), "\n")
cat("compiled in", compiled, "s\n")
