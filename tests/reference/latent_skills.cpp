// The latent skill model for TMB: the same likelihood as lvkit's, written independently.
//
//   alpha_l ~ N(0, Sigma), diag(Sigma) = 1;  theta = alpha_l + B x;  y ~ Beta(mu phi, (1 - mu) phi)
//
// TMB integrates the family effects alpha by Laplace's method with automatic differentiation.
#include <TMB.hpp>

template <class Type>
Type objective_function<Type>::operator()() {
  DATA_VECTOR(y);           // scores, clipped
  DATA_IVECTOR(family);     // of each score, from 0
  DATA_IVECTOR(benchmark);  // of each score, from 0
  DATA_MATRIX(x);           // centred features of each score's model
  DATA_IMATRIX(place);      // benchmarks x skills: position of the loading in `loading`, -1 = zero
  DATA_IVECTOR(anchor_at);  // positions of the anchors' loadings, which are logarithms

  PARAMETER_VECTOR(loading);
  PARAMETER_VECTOR(intercept);
  PARAMETER_VECTOR(log_precision);
  PARAMETER_MATRIX(slope);      // skills x features
  PARAMETER_VECTOR(cholesky);   // unconstrained numbers behind the correlation matrix
  PARAMETER_MATRIX(alpha);      // skills x families: integrated out

  int n_skills = slope.rows();
  vector<Type> value = loading;
  for (int i = 0; i < anchor_at.size(); i++) value(anchor_at(i)) = exp(loading(anchor_at(i)));
  matrix<Type> lambda(place.rows(), n_skills);
  for (int j = 0; j < place.rows(); j++)
    for (int k = 0; k < n_skills; k++)
      lambda(j, k) = place(j, k) < 0 ? Type(0) : value(place(j, k));
  vector<Type> precision = exp(log_precision);

  density::UNSTRUCTURED_CORR_t<Type> prior(cholesky);
  Type nll = 0;
  for (int l = 0; l < alpha.cols(); l++) nll += prior(vector<Type>(alpha.col(l)));
  for (int i = 0; i < y.size(); i++) {
    int j = benchmark(i);
    Type eta = intercept(j);
    for (int k = 0; k < n_skills; k++) {
      Type theta = alpha(k, family(i));
      for (int p = 0; p < x.cols(); p++) theta += slope(k, p) * x(i, p);
      eta += lambda(j, k) * theta;
    }
    Type mu = Type(1) / (Type(1) + exp(-eta));
    nll -= dbeta(y(i), mu * precision(j), (Type(1) - mu) * precision(j), true);
  }

  matrix<Type> sigma = prior.cov();
  vector<Type> correlation(n_skills * (n_skills - 1) / 2);
  int at = 0;
  for (int k = 1; k < n_skills; k++)
    for (int h = 0; h < k; h++) correlation(at++) = sigma(h, k);
  vector<Type> loading_value = value;
  ADREPORT(loading_value);
  ADREPORT(intercept);
  ADREPORT(precision);
  ADREPORT(slope);
  ADREPORT(correlation);
  return nll;
}
