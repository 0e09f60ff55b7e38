"""Why each cause is wrong, in a sentence or two: what a person should remember of it."""

from __future__ import annotations

LESSONS: dict[str, str] = {
    "batch_scale_wrong": "The factor belongs to the loss: a mean over N samples gives every gradient 1/N, once, "
    "and a sum gives none. "
    "It must be the one that the loss has, in every parameter alike.",
    "gradient_counted_twice": "Each path from an entry to the loss adds its product once. Here every one is added "
    "twice.",
    "avgpool_share_wrong": "y is the mean of k² numbers, so ∂y/∂x = 1/k² for each of them. Every input of a window "
    "gets that share of dy.",
    "regulariser_gradient_wrong": "The term ½λ‖w‖² has the gradient λw, and λ‖w‖² has 2λw. It is added, with the "
    "sign of the loss, for every parameter that the term contains.",
    "bn_count_wrong": "For images the statistics of a channel are taken over N·H·W numbers. Every mean in the "
    "backward pass divides by that same count.",
    "bn_gamma_missing": "y = γ·x̂ + β, so ∂L/∂x̂ = γ·dy. γ ≠ 1 shows it.",
    "bn_mean_term_missing": "The mean and the variance depend on x as well: dx = γ/σ·(dy − mean(dy) − "
    "x̂·mean(dy·x̂)). Leaving a term out treats a statistic as a constant.",
    "bn_variance_term_missing": "The mean and the variance depend on x as well: dx = γ/σ·(dy − mean(dy) − "
    "x̂·mean(dy·x̂)). Leaving a term out treats a statistic as a constant.",
    "bn_statistics_constant": "In training the mean and the variance depend on x: dx = γ/σ·(dy − mean(dy) − "
    "x̂·mean(dy·x̂)). With γ/σ·dy alone both are treated as constants.",
    "extra_factor_in_delta": "The chain rule multiplies by each local derivative once. Whatever else stands in the "
    "product does not belong there.",
    "dropout_scale_wrong": "y = mask·x/(1−p), so dx = mask·dy/(1−p). The scale is applied once in each direction.",
    "batch_sum_missing": "One set of parameters serves every sample, so its gradient is the sum over the samples: "
    "Σ_n.",
    "upstream_gradient_not_multiplied": "A backward pass gives dL/dx = Σ dL/dy · ∂y/∂x. The local derivative has "
    "to be multiplied by dy, which comes from above.",
    "missing_activation_derivative": "For a = f(z) the chain rule gives dz = da · f′(z). Passing dy on unchanged "
    "treats f as the identity.",
    "softmax_diagonal_only": "Every output of a softmax depends on every score: ∂p_i/∂z_j = p_i(δ_ij − p_j). "
    "p(1−p) is only the diagonal.",
    "softmax_jacobian_collapsed": "The rows of the softmax's Jacobian add up to 0. It must be multiplied by dy "
    "before anything is summed.",
    "softmax_backward_identity": "dz = p·(dy − Σ dy·p). It is dy only where the loss's gradient has been fused "
    "with the softmax, and then dy is not dL/dp.",
    "dx_not_propagated": "Without dx nothing below this layer learns. It has to be computed and returned.",
    "dx_missing": "Without dx nothing below this layer learns. It has to be computed and returned.",
    "gradient_missing": "Every parameter needs its gradient. This one was not returned.",
    "weight_gradient_zero": "A gradient that is zero everywhere trains nothing. It has to be added up and "
    "returned.",
    "dropout_mask_not_applied": "What was dropped had no influence on the loss, so its gradient is 0: dx = "
    "dy·mask·scale.",
    "dropout_mask_resampled": "The backward pass goes through the same network as the forward pass: it must use "
    "the mask that was drawn there.",
    "height_width_mixed_up": "Rows count with H, R and I, columns with W, S and J. On square images the two cannot "
    "be told apart.",
    "channel_axes_not_swapped": "Going back, each input channel c collects from all filters f: Σ_f dy[f]·w[f,c]. "
    "The two channel axes have to be swapped (a transpose, never a reshape).",
    "wrong_loop_variable_as_index": "Each index must be the one of its own loop. A left-over or repeated one takes "
    "another entry and raises no error.",
    "softmax_wrong_axis": "A softmax is taken over the classes of one sample. Its sums run along that axis alone, "
    "with keepdims.",
    "channels_mixed_in_weight_gradient": "w[f,c] meets input channel c alone, so dw[f,c] is the correlation with "
    "x[c], not with the sum of the channels.",
    "reshape_axes_wrong": "The gradient of a reshape is the inverse reshape, of a transpose the inverse transpose. "
    "A reshape cannot undo a transpose.",
    "im2col_column_order_mismatch": "A row of the kernel meets its column entry by entry: both are flattened in "
    "one order of channels and taps. Where forward and backward agree on another, the network learns all the same.",
    "weight_gradient_transposed": "dw has the shape of w, with its axes in the same order. A square layer hides a "
    "transpose.",
    "pool_window_offset_missing": "argmax within a window counts from the window's corner. Its place in the image "
    "is (i·stride + r, j·stride + s).",
    "activation_derivative_of_wrong_tensor": "f′ is taken at z, the activation's input. If it is written with the "
    "output, as a(1−a), it has to be that output, once.",
    "activation_derivative_formula_wrong": "σ′ = a(1−a), tanh′ = 1−a², relu′ = [z > 0], leaky: α where z < 0. Each "
    "is multiplied by dy.",
    "returns_wrong_variable": "The function returns another array than the one that was computed. Check the names "
    "on the last line.",
    "output_used_instead_of_input": "∂y/∂w is the layer's input. The layer's own output does not appear in its "
    "weight gradient.",
    "relu_mask_wrong_tensor": "relu lets dy through where its input was positive: dx = dy·[x > 0]. The sign of dy "
    "has no say.",
    "wrong_layer_gradient": "Each layer's weight gradient is its own delta times its own input. A delta of another "
    "layer is of another place in the network.",
    "stale_cache": "The backward pass belongs to one forward pass. It must read what that one saved.",
    "overlap_overwritten": "Where windows overlap an input receives several contributions, and they add up: += and "
    "not =.",
    "overlap_averaged": "What overlaps adds up. An input of three windows has three paths to the loss, and their "
    "gradients are summed, not averaged.",
    "gradients_not_zeroed": "Gradients are added up within one backward pass and start from zero in the next.",
    "gradient_buffer_not_zeroed": "A buffer that is used again still holds what was in it. It has to be zeroed "
    "first.",
    "overwritten_in_batch_loop": "One set of parameters serves every sample, so the loop over the batch adds up: "
    "+= and not =.",
    "ties_duplicate_gradient": "The maximum moves with one of its equal entries: one of them gets dy, or they "
    "share it. x == max gives it to each.",
    "cache_overwritten_in_place": "What the forward pass saved must stay as it was, or a second backward pass "
    "reads other numbers. Work on a copy.",
    "update_uses_wrong_variable": "A step is made from the parameter's own gradient: b -= rate * db.",
    "weights_updated_before_dx": "All gradients are taken at the same weights. Update after dx has been computed.",
    "early_return_in_loop": "A return inside a loop ends it in its first round. It belongs after the loop.",
    "dx_all_zero_write_to_copy": "flatten() and fancy indexing give copies: writing to them changes nothing. Use "
    "reshape(-1) of a contiguous array, or index the array itself.",
    "layer_not_trained": "A gradient that is always zero leaves its layer where it started.",
    "forward_formula_wrong": "The backward pass is the one of the intended formula. The forward pass computes "
    "something else.",
    "softmax_derivative_formula_wrong": "∂p_i/∂z_j = p_i(δ_ij − p_j), so that dz = p·(dy − Σ dy·p).",
    "skip_connection_missing": "What is added to its own input passes dy on along both paths: dx = dy + the "
    "gradient through the layers.",
    "mask_shared_by_windows": "An entry may be the maximum of one window and not of its neighbour. Each window has "
    "a mask of its own.",
    "stride_remainder_dropped": "If (H + 2p − R) is no multiple of the stride, the last rows are seen by no "
    "window. dx has them, with zeros, and dw knows nothing of them.",
    "stride_not_dilated": "With stride t the windows lie t apart: put t−1 zeros between the entries of dy before "
    "the full correlation, which itself has stride 1.",
    "stride_ignored_in_backward": "Output (i, j) was computed from the window at (i·stride, j·stride). The "
    "backward pass has to write to the same window.",
    "forward_stride_index_wrong": "Output (i, j) reads the window at (i·stride, j·stride), and i counts outputs by "
    "ones.",
    "bias_gradient_wrong_axes": "b[f] was added at every sample and position of channel f, so db[f] is the sum of "
    "dy over all the other axes.",
    "bias_gradient_wrong_tensor": "∂y/∂b = 1, so db is the sum of this layer's dy and of nothing else.",
    "bias_added_to_gradient": "y = Σ w·x + b: the bias is a summand, so it is in no derivative. A forward function "
    "that is used again for a gradient must not add it.",
    "missing_bias_gradient": "∂y/∂b = 1, so db = Σ dy over samples and positions. Zero leaves the bias where it "
    "started.",
    "bias_added_per_element": "y = Σ w·x + b: the bias is added once for an output, not once for a tap.",
    "convolution_treated_as_matrix_product": "A convolution's weights are shared between positions, so its "
    "gradients are correlations. A matrix product multiplies rows with columns that never met.",
    "convolution_replaced_by_elementwise_product": "w[r,s] meets x[i+r, j+s] at every output (i, j): dw[r,s] = Σ "
    "dy[i,j]·x[i+r,j+s], one sum for each tap, with its own shift.",
    "weight_gradient_elementwise_window": "dw[r,s] = Σ_ij dy[i,j]·x[i+r,j+s]: the sum runs over all output "
    "positions, for each tap with another shift.",
    "dx_shape_wrong_no_convolution": "dx has the shape of x: dy spread through w over every window, Σ_f,r,s "
    "dy[f,i,j]·w[f,c,r,s].",
    "elementwise_in_place_of_matrix_product": "y = x·w is a matrix product, and so are its gradients: dx = dy·wᵀ, "
    "dw = xᵀ·dy.",
    "dot_in_place_of_outer": "Each weight joins one input with one output: dw = outer(x, dy). A dot product leaves "
    "one number for all of them.",
    "border_missing": "Pixels at the border belong to fewer windows, not to none. The full correlation reaches "
    "them with zeros around dy.",
    "full_padding_missing": "Every entry of dy reaches R·S entries of dx, also beyond its own corners. dy needs "
    "R−1 and S−1 zeros around it.",
    "bn_sum_axes_wrong": "γ and β have one entry for each channel. Their gradients are summed over every other "
    "axis.",
    "bn_xhat_missing": "y = γ·x̂ + β, so ∂y/∂γ = x̂. dγ = Σ dy·x̂, with the normalised input.",
    "bn_scale_wrong": "x̂ = (x − μ)/σ, so ∂x̂/∂x has the factor 1/σ, with σ = √(var + ε).",
    "bn_variance_term_wrong": "dx = γ/σ·(dy − mean(dy) − x̂·mean(dy·x̂)). The last term is the path through the "
    "variance.",
    "max_pooling_treated_as_average": "Only the maximum of a window reached the output. Only it gets dy.",
    "pool_winner_wrong": "dy goes to the entry that was the maximum of its own window in the forward pass.",
    "log_of_zero": "log 0 = −∞ and 0·∞ = NaN. Take the logarithm of the softmax as a whole: z − max − log Σ exp(z "
    "− max).",
    "integer_truncation": "Integer arrays cut off what is written to them. Make them float64.",
    "softmax_overflow": "exp(710) is infinite in float64. Subtract each row's maximum first, which changes nothing "
    "else.",
    "kernel_not_rotated": "Forward: y[i] = Σ w[r]·x[i+r]; so dx[a] = Σ w[r]·dy[a−r]. The minus sign is the "
    "rotation by 180 degrees, of rows and columns.",
    "kernel_gradient_flipped": "dw[r] = Σ_i dy[i]·x[i+r]: x is slid over by dy. With the arguments swapped, or "
    "with a true convolution, the taps come out in reverse.",
    "kernel_rotated_over_wrong_axes": "Only rows and columns are reversed: w[:, :, ::-1, ::-1]. np.rot90 without "
    "axes=(2, 3) turns the channel axes.",
    "kernel_rotated_in_scatter_form": "In the form dx[window] += w·dy the kernel lies as in the forward pass. The "
    "rotation belongs to the full correlation only.",
    "padding_not_cropped": "The padded image is larger than x by p on each side. dx is its middle: dx_padded[:, :, "
    "p:p+H, p:p+W].",
    "crop_slice_minus_zero": "a[p:-p] with p = 0 is a[0:0], which is empty. Write a[p:p+H].",
    "forward_backward_padding_disagree": "The backward pass must lay its windows where the forward pass did, with "
    "the same padding.",
    "loop_over_input_size": "Output positions are counted by I and J, not by the image's H and W.",
    "loop_bounds_off_by_one": "range(n) ends before n. The loop leaves out the last row or column, or counts one "
    "too many.",
    "sign_error": "The gradient points uphill and is subtracted. With target − output the sign is already turned, "
    "and must then be added.",
    "kernel_transposed": "Rows stay rows: the kernel is reversed along both axes, never transposed.",
    "loss_derivative_wrong": "The gradient must be the derivative of the loss that is computed: mean square "
    "2(z−t)/n, cross-entropy with softmax (p−t)/N, with sigmoid (p−t)/N.",
    "weights_not_transposed": "y = x·w goes forward with w and back with wᵀ. A square layer hides the difference.",
    "mask_inverted": "The mask has to be 1 where the forward pass let x through, and 0 elsewhere.",
    "axis_wrong": "Sums run over the axes that the forward pass summed or broadcast over, and over no other.",
    "sign_or_order_wrong": "Each input gets the part of dy that belongs to it, in the order of the inputs.",
    "clipping_in_gradient": "A clipped gradient is no gradient. Clip in the update, where it can be seen.",
}
