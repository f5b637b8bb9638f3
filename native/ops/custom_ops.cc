#include "ops/custom_ops.h"

#include "ops/conv_ops.h"
#include "ops/norm_ops.h"
#include "ops/plain_ops.h"

namespace node_vae {

OrtCustomOpDomain* CustomOps() {
  // Never freed: sessions of any thread refer to it.
  static OrtCustomOpDomain* const domain = [] {
    static const ConvOp conv;
    static const ConvTransposeOp transpose;
    static const ConvWeightGradientOp weight_gradient;
    static const GroupNormOp norm;
    static const GroupNormGradientOp norm_gradient;
    Ort::CustomOpDomain made("node_vae");
    for (const OrtCustomOp* op : {static_cast<const OrtCustomOp*>(&conv), static_cast<const OrtCustomOp*>(&transpose),
                                  static_cast<const OrtCustomOp*>(&weight_gradient),
                                  static_cast<const OrtCustomOp*>(&norm),
                                  static_cast<const OrtCustomOp*>(&norm_gradient)}) {
      made.Add(op);
    }
    for (const OrtCustomOp* op : PlainOps()) made.Add(op);
    return made.release();
  }();
  return domain;
}

}  // namespace node_vae
